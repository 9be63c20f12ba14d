"""The max-margin step of the window network as one Function: lookup, scores of both windows, hinge loss, reduction.

    x = [L_w1 ... L_wk],    s = U^T f(Wx + b),    J = max(0, margin + s_c - s)

as in :mod:`.feed_forward` and :mod:`.max_margin`, with less work:

- A corrupt window equals the true one except for some words, mostly the centre. The shared words x_s, with the columns
  W_s of W, are looked up and multiplied once per pair, the differing words x_v, with W_v, once per window:

      z = b + W_s x_s + W_v x_v.

- Pairs with zero hinge loss have zero gradient (1.4) and are dropped from everything after the hinge.
- With delta of the true and delta_c of the corrupt window, as in 1.6, the shared words receive the sum:

      delta = f'(z) o U dJ/ds,    delta_s = delta + delta_c,    delta_v = [delta delta_c],
      dJ/dW_s = delta_s x_s^T,    dJ/dx_s = W_s^T delta_s,    dJ/db = delta_s,
      dJ/dW_v = delta_v x_v^T,    dJ/dx_v = W_v^T delta_v,    dJ/dU = dJ/ds a^T.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from . import _in_place
from ._checks import check_indices, check_number, check_reduction, check_shapes
from ._function import Function, autocast, rows
from ._in_place import is_unrecorded
from ._torch import is_transformed
from .layer import affine, embedding, gradient_of_rows
from .max_margin import max_margin_loss
from .units import Unit, find_unit, sigmoid


def window_margin_loss(
    windows: Tensor,
    corrupted: Tensor,
    L: Tensor,
    W: Tensor,
    b: Tensor,
    U: Tensor,
    f: Callable[[Tensor], Tensor] = sigmoid,
    margin: float = 1.0,
    reduction: str = "mean",
    *,
    features: Tensor | None = None,
    corrupted_features: Tensor | None = None,
    C: Tensor | None = None,
    dropout: float = 0.0,
    sparse: bool = False,
) -> Tensor:
    """``max_margin_loss(score(x, W, b, U, f), score(x_c, W, b, U, f))`` with x = L[windows] and x_c = L[corrupted].

    The cost of the backward pass is proportional to the number of pairs that violate the margin; both passes cost less
    the narrower the range of columns in which the windows differ. Under ``create_graph=True`` the backward pass
    recomputes X and a; forward mode, ``torch.func`` and ``torch.compile`` use the composition.

    Args:
        windows: word indices of the true windows, (..., k).
        corrupted: word indices of the corrupt windows, (..., k).
        L: word vectors, (V, d).
        W: hidden weights, (m, k d), or (m, k (d + c)) with features.
        b: hidden biases, (m,).
        U: output weights, (1, m).
        f: the activation function, one of ``UNITS``.
        margin: Delta, at least 0.
        reduction: "mean" or "sum" over the pairs, or "none".
        features: a feature index for each word of the true windows, such as its capitalisation, (..., k).
        corrupted_features: the same for the corrupt windows, (..., k).
        C: feature vectors, appended to the word vectors, (F, c).
        dropout: dropout probability of x and x_c. Both windows share the mask of the shared words; under
            tracing each has a mask of its own.
        sparse: make the gradient of L a sparse COO tensor of the rows in pairs that violate the margin.

    Returns:
        J, (), or (...) for "none".

    Raises:
        ValueError: shapes that do not match, an f that is not in ``UNITS``, a negative margin, an unknown reduction,
            features without C or C without features, a dropout that is not in [0, 1).
        IndexError: a word outside [0, V), or a feature outside [0, F).
        TypeError: parameters that are not floating-point tensors, words that are not int64 or int32.
    """
    check_shapes("V d, m n, m, 1 m, F c", L=L, W=W, b=b, U=U, C=C)
    check_number("margin", margin, at_least=0)
    check_number("dropout", dropout, at_least=0, below=1)
    check_reduction(reduction)
    unit = find_unit(f)
    indices = {"windows": windows, "corrupted": corrupted}
    if C is not None:
        indices |= {"features": features, "corrupted_features": corrupted_features}  # type: ignore[dict-item]
    elif features is not None or corrupted_features is not None:
        raise ValueError("C must be given with features, got None")
    _check_windows(indices, L, W, C)
    if is_transformed():
        x, x_c = (
            torch.cat([embedding(w, L, sparse), *([] if C is None else [embedding(c, C)])], -1)  # type: ignore[arg-type]
            for w, c in ((windows, features), (corrupted, corrupted_features))
        )
        s, s_c = (affine(f(affine(nn.functional.dropout(t.flatten(-2), dropout), W, b)), U) for t in (x, x_c))
        return max_margin_loss(s.squeeze(-1), s_c.squeeze(-1), margin, reduction)
    words = [rows(i) for i in indices.values()]
    divisor = len(words[0]) if reduction == "mean" else None if reduction == "none" else 1
    try:
        J, *_ = _WindowMargin.call(L, C, *autocast(W, b, U), words, _Settings(unit, margin, dropout, divisor, sparse))
    except IndexError:
        for name, given in indices.items():
            of = "C" if C is not None and name.endswith("features") else "L"
            check_indices(name, given, len(C if of == "C" else L), f"rows of {of}")  # type: ignore[arg-type]
        raise
    if reduction == "none":
        return J.reshape(windows.shape[:-1])
    return J if torch.is_autocast_enabled(L.device.type) else J.to(L.dtype)


def _check_windows(indices: dict[str, Tensor], L: Tensor, W: Tensor, C: Tensor | None) -> None:
    """Check that all indices have one shape, (..., k), and that W has the columns of k words."""
    for name, given in indices.items():
        check_indices(name, given)
        if given.shape != indices["windows"].shape:
            raise ValueError(
                f"{name} must have the shape of windows, {tuple(indices['windows'].shape)}, got {tuple(given.shape)}"
            )
    shape, d = indices["windows"].shape, L.shape[1] + (0 if C is None else C.shape[1])
    if not shape or shape[-1] * d != W.shape[1]:
        raise ValueError(
            f"W must have {shape[-1:].numel()} x {d} columns, one vector per word of a window, got {W.shape[1]}"
        )


class _Settings(NamedTuple):
    unit: Unit
    margin: float
    dropout: float
    divisor: int | None  # J = sum of the losses / divisor; None for no reduction
    sparse: bool


class _Columns(NamedTuple):
    """The differing words [start, stop) of the k in a window: from the first to the last in which any pair differs.

    X holds the vectors of the shared words, a row each, then those of the differing words of the true windows, then of
    the corrupt windows.
    """

    start: int
    stop: int
    k: int

    @classmethod
    def differing(cls, words: list[Tensor]) -> "_Columns":
        differ = functools.reduce(torch.logical_or, map(torch.ne, words[::2], words[1::2]))
        columns = [i for i, differs in enumerate(differ.any(0).tolist()) if differs] or [0, -1]  # none: [0, 0)
        return cls(columns[0], columns[-1] + 1, differ.shape[1])

    def halves(self, W: Tensor, d: int) -> tuple[Tensor, Tensor]:
        """W_s and W_v, with d columns per word."""
        start, stop = self.start * d, self.stop * d
        return torch.cat([W[:, :start], W[:, stop:]], 1), W[:, start:stop]

    def join(self, W_s: Tensor, W_v: Tensor, d: int) -> Tensor:
        """W from W_s and W_v: the inverse of :meth:`halves`."""
        start = self.start * d
        return torch.cat([W_s[:, :start], W_v, W_s[:, start:]], 1)

    def words(self, true: Tensor, other: Tensor) -> Tensor:
        """The index of each row of X into L, or into C."""
        (shared, differ), (_, differ_c) = self.halves(true, 1), self.halves(other, 1)
        return torch.cat([shared.reshape(-1), differ.reshape(-1), differ_c.reshape(-1)]).long()

    def split(self, X: Tensor, B: int) -> tuple[Tensor, Tensor]:
        """x_s, (B, n_s), and x_v, (2 B, n_v), the true windows above the corrupt."""
        w, d = self.stop - self.start, X.shape[1]
        return X[: len(X) - 2 * B * w].view(B, (self.k - w) * d), X[len(X) - 2 * B * w :].view(2 * B, w * d)

    def rows(self, pairs: Tensor, B: int) -> Tensor:
        """The indices of the rows of X that belong to ``pairs``, out of B."""
        w = self.stop - self.start
        x_s, x_v = self.split(torch.arange(B * (self.k + w), device=pairs.device)[:, None], B)
        return torch.cat([x[pairs].view(-1) for x in (x_s, x_v[:B], x_v[B:])])


class _WindowMargin(Function):
    @staticmethod
    def forward(
        L: Tensor, C: Tensor | None, W: Tensor, b: Tensor, U: Tensor, words: list[Tensor], settings: _Settings
    ) -> tuple[Any, ...]:
        unit, margin, dropout, divisor, _ = settings
        B, m = len(words[0]), len(W)
        columns = _Columns.differing(words)
        row_indices = list(map(columns.words, words[::2], words[1::2]))
        X = _look_up(row_indices, L, C).to(W.dtype)
        dropout_mask = torch.empty_like(X).bernoulli_(1 - dropout).div_(1 - dropout) if dropout else None
        X = X if dropout_mask is None else X.mul_(dropout_mask)
        (x_s, x_v), (W_s, W_v) = columns.split(X, B), columns.halves(W, X.shape[1])
        z = W.new_empty(2, B, m)
        torch.addmm(b, x_s, W_s.mT, out=z[0])
        z[1] = z[0]
        z.view(2 * B, m).addmm_(x_v, W_v.mT)
        a = unit.f(z)
        s, s_c = autocast(*a @ U[0], to=torch.float32)
        J = margin - (s - s_c)
        pairs = (J < 0).logical_not().nonzero().squeeze(1)  # drop pairs with zero hinge loss; NaN counts as violated
        if len(pairs) < B:
            violated = columns.rows(pairs, B)
            X, *row_indices = (t.index_select(0, violated) for t in (X, *row_indices))
            dropout_mask = dropout_mask if dropout_mask is None else dropout_mask.index_select(0, violated)
            a = a.index_select(1, pairs)
        J = J.clamp_(min=0)
        if divisor is not None:
            J = J.sum(dtype=torch.promote_types(J.dtype, torch.float32)) / divisor
        return J, columns, pairs, dropout_mask, X, a, *row_indices

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:
        *parameters, _, ctx.settings = inputs
        _, ctx.columns, *saved = outputs
        ctx.mark_non_differentiable(*(t for t in saved if t is not None))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*parameters, *saved)

    @staticmethod
    def backward(ctx: Any, grad_J: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if grad_J is None:
            return (None,) * 7
        L, C, W, b, U, pairs, dropout_mask, X, a, *row_indices = ctx.saved_tensors
        (unit, _, _, divisor, sparse), columns, P, d = ctx.settings, ctx.columns, len(pairs), X.shape[1]
        if not is_unrecorded(L, C, W, b, U, grad_J):  # create_graph=True: recompute, saved activations are detached
            X, a = _WindowMargin.recompute(ctx)
        (x_s, x_v), (W_s, W_v) = columns.split(X, P), columns.halves(W, d)

        c = (grad_J[pairs] if divisor is None else grad_J.reshape(1) / divisor).to(a.dtype)
        grad_s = c[:, None] * c.new_tensor([-1, 1])[:, None, None]  # true windows, corrupt windows
        delta = unit.f_prime_of_a(a) * (grad_s * U)
        delta_s, delta_v = delta[0] + delta[1], delta.view(2 * P, len(W))

        needs_L, needs_C, needs_W, needs_b, needs_U, *_ = ctx.needs_input_grad
        dX = _rows_of_products(delta_s, W_s, delta_v, W_v, X) if needs_L or needs_C else None
        dW = columns.join(delta_s.mT @ x_s, delta_v.mT @ x_v, d) if needs_W else None
        db = delta_s.sum(0) if needs_b else None
        dU = grad_s.expand(2, P, 1).reshape(1, 2 * P) @ a.view(2 * P, len(W)) if needs_U else None

        dL = dC = None
        if dX is not None:
            dX = (dX if dropout_mask is None else dX * dropout_mask).to(L.dtype)
            dx, dc = dX[:, : L.shape[1]], dX[:, L.shape[1] :]
            dL = gradient_of_rows(dx.contiguous(), row_indices[0], L.shape, sparse) if needs_L else None
            dC = gradient_of_rows(dc, row_indices[1], C.shape) if needs_C else None
        return dL, dC, dW, db, dU, None, None

    @staticmethod
    def recompute(ctx: Any) -> tuple[Tensor, Tensor]:
        """X and a as differentiable functions of L, C, W and b."""
        L, C, W, b, _, pairs, dropout_mask, _, _, *row_indices = ctx.saved_tensors
        X = _look_up(row_indices, L, C).to(W.dtype)
        X = X if dropout_mask is None else X * dropout_mask
        (x_s, x_v), (W_s, W_v) = ctx.columns.split(X, len(pairs)), ctx.columns.halves(W, X.shape[1])
        z = affine(x_s, W_s, b) + (x_v @ W_v.mT).view(2, len(pairs), len(W))
        return X, ctx.settings.unit.f(z)


def _look_up(row_indices: list[Tensor], L: Tensor, C: Tensor | None) -> Tensor:
    """X, with a row [L_w C_c] for each word w and its feature c."""
    X = L.index_select(0, row_indices[0])
    return X if C is None else torch.cat([X, C.index_select(0, row_indices[1])], 1)


@_in_place.rows_of_products
def _rows_of_products(delta_s: Tensor, W_s: Tensor, delta_v: Tensor, W_v: Tensor, X: Tensor) -> Tensor:
    """dJ/dX from dJ/dx_s = W_s^T delta_s and dJ/dx_v = W_v^T delta_v."""
    return torch.cat([dx.view(-1, X.shape[1]) for dx in (delta_s @ W_s, delta_v @ W_v)])
