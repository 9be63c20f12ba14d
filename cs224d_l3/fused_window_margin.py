r"""The max-margin step of the window network as one Function: lookup, scores of both windows, hinge loss, reduction.

$$x = [L_{w_1} \ldots L_{w_k}], \qquad s = U^T f(Wx + b), \qquad J = \max(0, \Delta + s_c - s)$$

as in :mod:`~cs224d_l3.feed_forward` and :mod:`~cs224d_l3.max_margin`, with less work:

- A corrupt window equals the true one except for some words, mostly the centre. The shared words $x_s$, with the
  columns $W_s$ of W, are looked up and multiplied once per pair, the differing words $x_v$, with $W_v$, once per
  window:

  $$z = b + W_s x_s + W_v x_v$$

- Pairs with zero hinge loss have zero gradient (1.4) and are dropped from everything after the hinge.
- With $\delta$ of the true and $\delta_c$ of the corrupt window, as in 1.6, the shared words receive the sum:

  $$\delta = f'(z) \circ U \frac{\partial J}{\partial s}, \qquad
  \delta_s = \delta + \delta_c, \qquad \delta_v = [\delta \; \delta_c]$$

  $$\frac{\partial J}{\partial W_s} = \delta_s x_s^T, \qquad \frac{\partial J}{\partial x_s} = W_s^T \delta_s, \qquad
  \frac{\partial J}{\partial b} = \delta_s$$

  $$\frac{\partial J}{\partial W_v} = \delta_v x_v^T, \qquad \frac{\partial J}{\partial x_v} = W_v^T \delta_v, \qquad
  \frac{\partial J}{\partial U} = \frac{\partial J}{\partial s} a^T$$
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import _in_place
from ._checks import check_number, check_reduction, check_shapes
from ._dropout import dropout as drop
from ._dropout import dropout_mask
from ._function import Function, autocast, rows
from ._in_place import is_unrecorded
from ._torch import is_transformed
from ._window_input import check_range, check_windows, embed, error_of_unit, gradients_of_tables, look_up
from .layer import affine
from .max_margin import max_margin_loss
from .units import Unit, find_unit, sigmoid
from .windows import Features, each_feature


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
    features: Features = None,
    corrupted_features: Features = None,
    C: Features = None,
    dropout: float = 0.0,
    sparse: bool = False,
) -> Tensor:
    r"""``max_margin_loss(score(x, W, b, U, f), score(x_c, W, b, U, f))`` with x = L[windows] and x_c = L[corrupted].

    The cost of the backward pass is proportional to the number of pairs that violate the margin; both passes cost less
    the narrower the range of columns in which the windows differ. Under ``create_graph=True`` the backward pass
    recomputes X and a; forward mode, ``torch.func`` and ``torch.compile`` use the composition.

    Args:
        windows: word indices of the true windows, (..., k).
        corrupted: word indices of the corrupt windows, (..., k).
        L: word vectors, (V, d).
        W: hidden weights, (m, k d), or (m, k (d + c)) with features of c dimensions, those of several added up.
        b: hidden biases, (m,).
        U: output weights, (1, m).
        f: the activation function, one of ``UNITS``.
        margin: $\Delta$, at least 0.
        reduction: "mean" or "sum" over the pairs, or "none".
        features: a feature index for each word of the true windows, such as its capitalisation, (..., k); or a
            sequence of them, one for each of several features.
        corrupted_features: the same for the corrupt windows.
        C: feature vectors, appended to the word vectors, (F, c); or a sequence of them, one table a feature.
        dropout: dropout probability of x and x_c. Both windows share the mask of the shared words; under
            tracing each has a mask of its own.
        sparse: make the gradient of L a sparse COO tensor of the rows in pairs that violate the margin.

    Returns:
        J, (), or (...) for "none".

    Raises:
        ValueError: shapes that do not match, an f that is not in ``UNITS``, a negative margin, an unknown reduction,
            features and C of unequal number, a dropout that is not in [0, 1).
        IndexError: a word outside [0, V), or a feature outside [0, F).
        TypeError: parameters that are not floating-point tensors, words that are not int64 or int32.
    """
    tables = (L, *each_feature(C))
    check_shapes("V d, m n, m, 1 m", L=L, W=W, b=b, U=U)
    check_number("margin", margin, at_least=0)
    check_number("dropout", dropout, at_least=0, below=1)
    check_reduction(reduction)
    unit = find_unit(f)
    true, other = (windows, *each_feature(features)), (corrupted, *each_feature(corrupted_features))
    check_windows(_NAMES, true, W, tables)
    check_windows(_NAMES_C, other, W, tables, like=true[0])
    if is_transformed():
        xs = (drop(embed(indices, tables, sparse), dropout) for indices in (true, other))
        s, s_c = (affine(f(affine(x, W, b)), U) for x in xs)
        return max_margin_loss(s.squeeze(-1), s_c.squeeze(-1), margin, reduction)
    divisor = windows.shape[:-1].numel() if reduction == "mean" else None if reduction == "none" else 1
    settings = _Settings(unit, margin, dropout, divisor, sparse)
    try:
        J, *_ = _WindowMargin.call(*autocast(W, b, U), [*map(rows, true)], [*map(rows, other)], settings, *tables)
    except IndexError:
        check_range(_NAMES, true, tables)
        check_range(_NAMES_C, other, tables)
        raise
    if reduction == "none":
        return J.reshape(windows.shape[:-1])
    return J if torch.is_autocast_enabled(L.device.type) else J.to(L.dtype)


_NAMES, _NAMES_C = ("windows", "features"), ("corrupted", "corrupted_features")


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
    def differing(cls, true: list[Tensor], other: list[Tensor]) -> "_Columns":
        differ = functools.reduce(torch.logical_or, map(torch.ne, true, other))
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
        """The index of each row of X into its table, L or C."""
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
        W: Tensor,
        b: Tensor,
        U: Tensor,
        true: list[Tensor],
        other: list[Tensor],
        settings: _Settings,
        *tables: Tensor,
    ) -> tuple[Any, ...]:
        unit, margin, dropout, divisor, _ = settings
        B, m = len(true[0]), len(W)
        columns = _Columns.differing(true, other)
        row_indices = list(map(columns.words, true, other))
        X = look_up(row_indices, tables).to(W.dtype)
        mask = dropout_mask(X, dropout) if dropout else None
        X = X if mask is None else X.mul_(mask)
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
            mask = mask if mask is None else mask.index_select(0, violated)
            a = a.index_select(1, pairs)
        J = J.clamp_(min=0)
        if divisor is not None:
            J = J.sum(dtype=torch.promote_types(J.dtype, torch.float32)) / divisor
        return J, columns, pairs, mask, X, a, *row_indices

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:
        W, b, U, _, _, ctx.settings, *tables = inputs
        _, ctx.columns, *saved = outputs
        ctx.mark_non_differentiable(*(t for t in saved if t is not None))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(W, b, U, *saved, *tables)

    @staticmethod
    def backward(ctx: Any, grad_J: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if grad_J is None:
            return (None,) * len(ctx.needs_input_grad)
        W, b, U, pairs, mask, X, a, *rest = ctx.saved_tensors
        row_indices, tables = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        (unit, _, _, divisor, sparse), columns, P, d = ctx.settings, ctx.columns, len(pairs), X.shape[1]
        if not is_unrecorded(W, b, U, grad_J, *tables):  # create_graph=True: recompute, saved activations are detached
            X, a = _WindowMargin.recompute(ctx)
        (x_s, x_v), (W_s, W_v) = columns.split(X, P), columns.halves(W, d)

        c = (grad_J[pairs] if divisor is None else grad_J.reshape(1) / divisor).to(a.dtype)
        grad_s = c[:, None] * c.new_tensor([-1, 1])[:, None, None]  # true windows, corrupt windows
        delta = error_of_unit(unit, a, grad_s * U)
        delta_s, delta_v = delta[0] + delta[1], delta.view(2 * P, len(W))

        needs_W, needs_b, needs_U, _, _, _, *needs = ctx.needs_input_grad
        dW = columns.join(delta_s.mT @ x_s, delta_v.mT @ x_v, d) if needs_W else None
        db = delta_s.sum(0) if needs_b else None
        dU = grad_s.expand(2, P, 1).reshape(1, 2 * P) @ a.view(2 * P, len(W)) if needs_U else None

        d_tables: list[Tensor | None] = [None] * len(tables)
        if any(needs):
            dX = _rows_of_products(delta_s, W_s, delta_v, W_v, X)
            dX = dX if mask is None else dX * mask
            d_tables = gradients_of_tables(dX, row_indices, tables, needs, sparse)
        return dW, db, dU, None, None, None, *d_tables

    @staticmethod
    def recompute(ctx: Any) -> tuple[Tensor, Tensor]:
        """X and a as differentiable functions of the tables, W and b."""
        W, b, _, pairs, mask, _, _, *rest = ctx.saved_tensors
        X = look_up(rest[: len(rest) // 2], rest[len(rest) // 2 :]).to(W.dtype)
        X = X if mask is None else X * mask
        (x_s, x_v), (W_s, W_v) = ctx.columns.split(X, len(pairs)), ctx.columns.halves(W, X.shape[1])
        z = affine(x_s, W_s, b) + (x_v @ W_v.mT).view(2, len(pairs), len(W))
        return X, ctx.settings.unit.f(z)


@_in_place.rows_of_products
def _rows_of_products(delta_s: Tensor, W_s: Tensor, delta_v: Tensor, W_v: Tensor, X: Tensor) -> Tensor:
    """dJ/dX from dJ/dx_s = W_s^T delta_s and dJ/dx_v = W_v^T delta_v."""
    return torch.cat([dx.view(-1, X.shape[1]) for dx in (delta_s @ W_s, delta_v @ W_v)])
