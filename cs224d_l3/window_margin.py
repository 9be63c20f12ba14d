"""The whole max-margin step of the window network in one Function: look up, score both windows, hinge, mean.

    x = [L_w1 ... L_wk],    s = U^T f(Wx + b),    J = max(0, margin + s_c - s)

as :mod:`.feed_forward` and :mod:`.max_margin` have it, piece by piece. Taken together, the true and the corrupt
windows are the rows of one matrix product, and a pair that has its margin, whose gradient is 0 (1.4), is left out of
everything that comes after the hinge.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ._checks import check_indices, check_number, check_reduction, check_shapes
from ._function import Function, autocast, is_last, is_transformed, rows
from .layer import affine, embedding
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
    sparse: bool = False,
) -> Tensor:
    """``max_margin_loss(score(x, W, b, U, f), score(x_c, W, b, U, f))`` of x = L[windows] and x_c = L[corrupted].

    The backward pass costs as much as there are pairs without their margin. Second-order gradients, forward mode,
    ``torch.func`` and ``torch.compile`` go through the composition.

    Args:
        windows: words of the true windows, (..., k).
        corrupted: words of the corrupt ones, (..., k).
        L: word vectors, (V, d).
        W: hidden weights, (m, k d).
        b: hidden biases, (m,).
        U: output weights, (1, m).
        f: the hidden units, one of the six of ``UNITS``.
        margin: by how much the true window must win, at least 0.
        reduction: "mean" or "sum" over the pairs, or "none".
        sparse: the gradient of L as a sparse tensor of the rows that are in pairs without their margin.

    Returns:
        J, (), or (...) for "none".

    Raises:
        ValueError: shapes that do not fit, a unit that is none of the six, a negative margin, an unknown reduction.
        IndexError: a word outside 0 to V - 1.
        TypeError: parameters that are not floating-point tensors, words that are no whole numbers.
    """
    check_shapes("V d, m n, m, 1 m", L=L, W=W, b=b, U=U)
    for name, words in (("windows", windows), ("corrupted", corrupted)):
        check_indices(name, words, len(L), "rows of L")
    k = W.shape[1] // L.shape[1] if L.shape[1] else 0
    if windows.ndim == 0 or k * L.shape[1] != W.shape[1] or windows.shape[-1] != k:
        raise ValueError(
            f"W must have {windows.shape[-1:].numel()} x {L.shape[1]} columns, a vector for every word of a window, "
            f"got {W.shape[1]}"
        )
    if corrupted.shape != windows.shape:
        raise ValueError(
            f"corrupted must have the shape of windows, {tuple(windows.shape)}, got {tuple(corrupted.shape)}"
        )
    check_number("margin", margin, at_least=0)
    check_reduction(reduction)
    unit = find_unit(f)
    if is_transformed():
        x, x_c = (embedding(words, L, sparse).flatten(-2) for words in (windows, corrupted))
        s, s_c = (affine(f(affine(t, W, b)), U).squeeze(-1) for t in (x, x_c))
        return max_margin_loss(s, s_c, margin, reduction)
    words = torch.stack([rows(windows), rows(corrupted)])
    J, *_ = _WindowMargin.call(words, L, *autocast(W, b, U), unit, margin, reduction != "none", sparse)
    if reduction == "none":
        return J.reshape(windows.shape[:-1])
    J = J / words.shape[1] if reduction == "mean" else J
    return J if torch.is_autocast_enabled(L.device.type) else J.to(L.dtype)


class _WindowMargin(Function):
    """delta_s is -1 for the true window and +1 for the corrupt one; from there on it is 1.6, over both as one batch."""

    @staticmethod
    def forward(
        words: Tensor, L: Tensor, W: Tensor, b: Tensor, U: Tensor, unit: Unit, margin: float, total: bool, sparse: bool
    ) -> tuple[Tensor, ...]:
        B = words.shape[1]
        x = L.index_select(0, words.reshape(-1)).view(2 * B, W.shape[1]).to(W.dtype)
        a = unit.f(torch.addmm(b, x, W.mT))
        s, s_c = autocast(*(a @ U.mT).view(2, B), to=torch.float32)
        z = margin - (s - s_c)
        pairs = (z >= 0).nonzero().squeeze(1)
        if len(pairs) < B:  # what has its margin is let go
            both = torch.cat([pairs, pairs + B])
            x, a, words = x[both], a[both], words[:, pairs]
        J = z.clamp(min=0)
        J = J.sum(dtype=torch.promote_types(J.dtype, torch.float32)) if total else J
        return J, pairs, words.view_as(words), x, a  # a view of the words: no input may be an output

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:
        _, L, W, b, U, ctx.unit, _, ctx.total, ctx.sparse = inputs
        ctx.mark_non_differentiable(*outputs[1:])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(L, W, b, U, *outputs[1:])

    @staticmethod
    def backward(ctx: Any, error: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if error is None:
            return (None,) * 9
        L, W, b, U, pairs, words, x, a = ctx.saved_tensors
        last = is_last(L, W, b, U, error)
        if not last:  # somebody differentiates on: what was kept is no function of L, W and b for autograd
            x = embedding(words, L).reshape(-1, W.shape[1]).to(W.dtype)
            a = ctx.unit.f(affine(x, W, b))
        c = error.expand(len(pairs)) if ctx.total else error[pairs]
        delta_s = torch.cat([-c, c]).to(a.dtype)
        delta = ctx.unit.f_prime_of_a(a) * delta_s[:, None] * U
        _, L_, W_, b_, U_, *rest = ctx.needs_input_grad
        dL = None
        if L_:
            dx = (delta @ W).view(-1, L.shape[1]).to(L.dtype)
            dL = _rows_of(L, words.reshape(-1), dx, ctx.sparse and last)
        return (
            None,
            dL,
            delta.mT @ x if W_ else None,
            delta.sum(0) if b_ else None,
            delta_s[None] @ a if U_ else None,
            *(None for _ in rest),
        )


def _rows_of(L: Tensor, words: Tensor, dx: Tensor, sparse: bool) -> Tensor:
    """The gradient of L that has the rows dx at these words, those of the same word summed."""
    if sparse:
        return torch.sparse_coo_tensor(words[None], dx, L.shape, check_invariants=False)
    return torch.zeros_like(L).index_add(0, words, dx)
