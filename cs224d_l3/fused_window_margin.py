"""The whole max-margin step of the window network in one Function: look up, score both windows, hinge, mean.

    x = [L_w1 ... L_wk],    s = U^T f(Wx + b),    J = max(0, margin + s_c - s)

as :mod:`.feed_forward` and :mod:`.max_margin` have it, piece by piece. Taken together, much of it need not be done:

- A corrupt window is the true one with some of its words replaced, most often the one in its centre. The words that
  stay, x_s with the columns W_s of W, are looked up and multiplied once for both; those that vary, x_v with W_v, once
  for each:

      z = b + W_s x_s + W_v x_v.

- A pair that has its margin has the gradient 0 (1.4). It is left out of everything that comes after the hinge.
- With delta of the true and delta_c of the corrupt window, those of 1.6, what stays receives their sum:

      delta = f'(z) o U dJ/ds,    delta_s = delta + delta_c,    delta_v = delta, delta_c,
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
from ._in_place import is_last
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
    """``max_margin_loss(score(x, W, b, U, f), score(x_c, W, b, U, f))`` of x = L[windows] and x_c = L[corrupted].

    The backward pass costs as much as there are pairs without their margin, and both passes the less, the fewer
    neighbouring columns of the windows differ. Under ``create_graph`` the scores are computed once more, for
    autograd to read; forward mode, ``torch.func`` and ``torch.compile`` go through the composition.

    Args:
        windows: words of the true windows, (..., k).
        corrupted: words of the corrupt ones, (..., k).
        L: word vectors, (V, d).
        W: hidden weights, (m, k d), or (m, k (d + c)) with features.
        b: hidden biases, (m,).
        U: output weights, (1, m).
        f: the hidden units, one of the six of ``UNITS``.
        margin: by how much the true window must win, at least 0.
        reduction: "mean" or "sum" over the pairs, or "none".
        features: a second index of every word of the true windows, how it is capitalised say, (..., k).
        corrupted_features: the same of the corrupt windows, (..., k).
        C: the features' vectors, which follow the words', (F, c).
        dropout: the share of x and x_c that is set to 0, the rest being divided by 1 - dropout; the same of both in
            the columns that no pair of the batch differs in, which are looked up once. Traced, each has its own.
        sparse: the gradient of L as a sparse tensor of the rows that are in pairs without their margin.

    Returns:
        J, (), or (...) for "none".

    Raises:
        ValueError: shapes that do not fit, a unit that is none of the six, a negative margin, an unknown reduction,
            features without C or C without features, a dropout that is not in [0, 1).
        IndexError: a word outside 0 to V - 1, or a feature outside 0 to F - 1.
        TypeError: parameters that are not floating-point tensors, words that are no whole numbers.
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
        raise ValueError("C must be given where features are, got None")
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
    """Indices of one shape, (..., k), with W's columns for k words."""
    for name, given in indices.items():
        check_indices(name, given)
        if given.shape != indices["windows"].shape:
            raise ValueError(
                f"{name} must have the shape of windows, {tuple(indices['windows'].shape)}, got {tuple(given.shape)}"
            )
    shape, d = indices["windows"].shape, L.shape[1] + (0 if C is None else C.shape[1])
    if not shape or shape[-1] * d != W.shape[1]:
        raise ValueError(
            f"W must have {shape[-1:].numel()} x {d} columns, a vector for every word of a window, got {W.shape[1]}"
        )


class _Settings(NamedTuple):
    unit: Unit
    margin: float
    dropout: float
    divisor: int | None  # of the sum of the losses; None: no sum
    sparse: bool


class _Columns(NamedTuple):
    """Of the k words of a window those that vary: all from the first to the last in which any pair differs.

    X has a row for the vector of every word that stays; then of every word that varies, the true windows' first.
    """

    start: int
    stop: int
    k: int

    @classmethod
    def that_vary(cls, words: list[Tensor]) -> "_Columns":
        differ = functools.reduce(torch.logical_or, map(torch.ne, words[::2], words[1::2]))
        places = [i for i, differs in enumerate(differ.any(0).tolist()) if differs] or [0, -1]
        return cls(places[0], places[-1] + 1, differ.shape[1])

    def halves(self, W: Tensor, d: int) -> tuple[Tensor, Tensor]:
        """W_s and W_v, with d columns a word."""
        start, stop = self.start * d, self.stop * d
        return torch.cat([W[:, :start], W[:, stop:]], 1), W[:, start:stop]

    def join(self, W_s: Tensor, W_v: Tensor, d: int) -> Tensor:
        """W."""
        start = self.start * d
        return torch.cat([W_s[:, :start], W_v, W_s[:, start:]], 1)

    def words(self, true: Tensor, other: Tensor) -> Tensor:
        """The word of every row of X."""
        (stay, vary), (_, vary_c) = self.halves(true, 1), self.halves(other, 1)
        return torch.cat([stay.reshape(-1), vary.reshape(-1), vary_c.reshape(-1)]).long()

    def split(self, X: Tensor, B: int) -> tuple[Tensor, Tensor]:
        """x_s, (B, n_s), and x_v, (2 B, n_v), the true windows' above the corrupt ones'."""
        w, d = self.stop - self.start, X.shape[1]
        return X[: len(X) - 2 * B * w].view(B, (self.k - w) * d), X[len(X) - 2 * B * w :].view(2 * B, w * d)

    def rows(self, pairs: Tensor, B: int) -> Tensor:
        """The rows of X that belong to some of the B pairs."""
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
        columns = _Columns.that_vary(words)
        read = list(map(columns.words, words[::2], words[1::2]))
        X = _look_up(read, L, C).to(W.dtype)
        keep = torch.empty_like(X).bernoulli_(1 - dropout).div_(1 - dropout) if dropout else None
        X = X if keep is None else X.mul_(keep)
        (x_s, x_v), (W_s, W_v) = columns.split(X, B), columns.halves(W, X.shape[1])
        z = W.new_empty(2, B, m)
        torch.addmm(b, x_s, W_s.mT, out=z[0])
        z[1] = z[0]
        z.view(2 * B, m).addmm_(x_v, W_v.mT)
        a = unit.f(z)
        s, s_c = autocast(*a @ U[0], to=torch.float32)
        J = margin - (s - s_c)
        pairs = (J < 0).logical_not().nonzero().squeeze(1)  # nan is not in order
        if len(pairs) < B:
            violated = columns.rows(pairs, B)
            X, *read = (t.index_select(0, violated) for t in (X, *read))
            keep = keep if keep is None else keep.index_select(0, violated)
            a = a.index_select(1, pairs)
        J = J.clamp_(min=0)
        if divisor is not None:
            J = J.sum(dtype=torch.promote_types(J.dtype, torch.float32)) / divisor
        return J, columns, pairs, keep, X, a, *read

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:
        *parameters, _, ctx.settings = inputs
        _, ctx.columns, *kept = outputs
        ctx.mark_non_differentiable(*(t for t in kept if t is not None))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*parameters, *kept)

    @staticmethod
    def backward(ctx: Any, grad_J: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if grad_J is None:
            return (None,) * 7
        L, C, W, b, U, pairs, keep, X, a, *read = ctx.saved_tensors
        (unit, _, _, divisor, sparse), columns, P, d = ctx.settings, ctx.columns, len(pairs), X.shape[1]
        if not is_last(L, C, W, b, U, grad_J):  # autograd does not know what the X and a that were kept are made of
            X, a = _WindowMargin.again(ctx)
        (x_s, x_v), (W_s, W_v) = columns.split(X, P), columns.halves(W, d)

        c = (grad_J[pairs] if divisor is None else grad_J.reshape(1) / divisor).to(a.dtype)
        grad_s = c[:, None] * c.new_tensor([-1, 1])[:, None, None]  # of the true windows, and of the corrupt ones
        delta = unit.f_prime_of_a(a) * (grad_s * U)
        delta_s, delta_v = delta[0] + delta[1], delta.view(2 * P, len(W))

        L_, C_, W_, b_, U_, *_ = ctx.needs_input_grad
        dX = _rows_of_products(delta_s, W_s, delta_v, W_v, X) if L_ or C_ else None
        dW = columns.join(delta_s.mT @ x_s, delta_v.mT @ x_v, d) if W_ else None
        db = delta_s.sum(0) if b_ else None
        dU = grad_s.expand(2, P, 1).reshape(1, 2 * P) @ a.view(2 * P, len(W)) if U_ else None

        dL = dC = None
        if dX is not None:
            dX = (dX if keep is None else dX * keep).to(L.dtype)
            dx, dc = dX[:, : L.shape[1]], dX[:, L.shape[1] :]
            dL = gradient_of_rows(dx.contiguous(), read[0], L.shape, sparse) if L_ else None
            dC = gradient_of_rows(dc, read[1], C.shape) if C_ else None
        return dL, dC, dW, db, dU, None, None

    @staticmethod
    def again(ctx: Any) -> tuple[Tensor, Tensor]:
        """X and a, as autograd can read them: functions of L, C, W and b."""
        L, C, W, b, _, pairs, keep, _, _, *read = ctx.saved_tensors
        X = _look_up(read, L, C).to(W.dtype)
        X = X if keep is None else X * keep
        (x_s, x_v), (W_s, W_v) = ctx.columns.split(X, len(pairs)), ctx.columns.halves(W, X.shape[1])
        z = affine(x_s, W_s, b) + (x_v @ W_v.mT).view(2, len(pairs), len(W))
        return X, ctx.settings.unit.f(z)


def _look_up(read: list[Tensor], L: Tensor, C: Tensor | None) -> Tensor:
    """[L_w, C_c] of every word w and its feature c."""
    X = L.index_select(0, read[0])
    return X if C is None else torch.cat([X, C.index_select(0, read[1])], 1)


@_in_place.rows_of_products
def _rows_of_products(delta_s: Tensor, W_s: Tensor, delta_v: Tensor, W_v: Tensor, X: Tensor) -> Tensor:
    """dJ/dX, from dJ/dx_s = W_s^T delta_s and dJ/dx_v = W_v^T delta_v."""
    return torch.cat([dx.view(-1, X.shape[1]) for dx in (delta_s @ W_s, delta_v @ W_v)])
