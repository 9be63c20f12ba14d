r"""Softmax cross-entropy fused with the layer before it: $z = Wx + b$, $J = -\log \operatorname{softmax}(z)_t$.

The objective of a language model, without the (B, K) matrix of scores in memory.
"""

from typing import Any

import torch
from torch import Tensor

from . import _in_place
from ._checks import check_number, check_reduction, check_shapes
from ._function import Function, autocast, rows
from ._torch import is_transformed
from .layer import affine
from .softmax import mask_ignored, one_hot, softmax_cross_entropy

ROWS = 512  # examples per block of scores: large enough for the matrix products to run at full speed


def affine_softmax_cross_entropy(
    x: Tensor,
    W: Tensor,
    b: Tensor | None,
    target: Tensor,
    reduction: str = "mean",
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""``softmax_cross_entropy(affine(x, W, b), target)`` without the scores of the whole mini-batch in memory.

    The scores $z = Wx + b$ are computed in blocks of 512 examples; each block is overwritten in place by its gradient
    $p - q$, and takes O(K) memory, not O(B K). Sums over examples accumulate in float32 or wider. For "mean" and "sum"
    the gradients are computed with J and saved for the backward pass: use ``torch.no_grad`` if there is none.
    For "none" the incoming gradient is not known in the forward pass, and the backward pass recomputes the scores.
    Second-order gradients, forward mode, ``torch.func`` and ``torch.compile`` use the composition, with all scores.

    Args:
        x: inputs, (..., n).
        W: weights, one row per class, (K, n).
        b: biases, (K,), or None.
        target: class indices, integers in [0, K), (...).
        reduction: "mean" or "sum" over the examples, or "none".
        ignore_index: target of the examples to ignore, which have J = 0 and do not count in the mean.
        label_smoothing: $\epsilon$; a one-hot q becomes $(1 - \epsilon) q + \epsilon / K$.

    Returns:
        J in nats, (), or (...) for "none".

    Raises:
        ValueError: shapes that do not match, an unknown reduction, a label_smoothing outside 0 to 1.
        IndexError: a target outside [0, K) other than ignore_index.
        TypeError: an x, W or b that is not floating-point, or a target that is neither int64 nor int32.
    """
    check_shapes("... n, K n, K", x=x, W=W, b=b)
    check_reduction(reduction)
    check_number("label_smoothing", label_smoothing, at_least=0, at_most=1)
    if is_transformed():
        options: dict[str, Any] = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
        return softmax_cross_entropy(affine(x, W, b), target, reduction, **options)
    target, mask = mask_ignored(target, (*x.shape[:-1], len(W)), "x W^T", ignore_index)
    x_cast, W, b = autocast(x, W, b)
    reduced = reduction != "none"
    needs_grad = [reduced and torch.is_grad_enabled() and t is not None and t.requires_grad for t in (x_cast, W, b)]
    scale = 1 / target.numel() if reduction == "mean" and mask is None else 1.0
    targets = target.reshape(-1), mask if mask is None else mask.reshape(-1)
    J, *_ = _AffineSoftmaxCrossEntropy.call(rows(x_cast), W, b, *targets, label_smoothing, reduced, scale, needs_grad)
    if reduction == "mean" and mask is not None:
        J = torch.where(mask.any(), J / mask.sum().clamp(min=1), torch.nan)
    J = J if reduced else J.reshape(target.shape)
    return J if torch.is_autocast_enabled(x.device.type) else J.to(x.dtype)


@_in_place.of_backward
def _precomputed(
    ctx: Any, grad_J: Tensor, x: Tensor, W: Tensor, b: Tensor | None, target: Tensor, mask: Tensor | None
) -> tuple[Tensor | None, ...]:
    """The gradients computed in the forward pass, returned without a copy; a second backward pass recomputes them."""
    needs_x, needs_W, needs_b, *rest = ctx.needs_input_grad
    grads, ctx.grads = ctx.grads, None
    if grads is None:
        c = _grads_of_rows(ctx, grad_J, mask, len(x))
        grads = _in_blocks(x, W, b, target, c, ctx.eps, [needs_x, needs_W, needs_b])[1:]
    elif not (grad_J.is_cpu and grad_J.item() == 1):
        grads = [g if g is None else g.mul_(grad_J) for g in grads]
    return *(g if g is None else g.to(x.dtype) for g in grads), *(None for _ in rest)


class _AffineSoftmaxCrossEntropy(Function):
    """J_i = -sum_k q_k log p_k for each row of x, or scale sum_i J_i; delta = dJ/dz = p - q."""

    @staticmethod
    def forward(
        x: Tensor,
        W: Tensor,
        b: Tensor | None,
        target: Tensor,
        mask: Tensor | None,
        eps: float,
        reduced: bool,
        scale: float,
        needs_grad: list[bool],
    ) -> tuple[Tensor | None, ...]:
        J, *gradients = _in_blocks(x, W, b, target, mask, eps, needs_grad, scale)
        return scale * J.sum() if reduced else J, *gradients

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:
        *tensors, ctx.eps, reduced, ctx.scale, _ = inputs
        ctx.grads = outputs[1:] if reduced else None
        ctx.mark_non_differentiable(*(g for g in outputs[1:] if g is not None))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)

    @staticmethod
    @_precomputed
    def backward(ctx: Any, grad_J: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if grad_J is None:
            return (None,) * 9
        x, W, b, target, mask = ctx.saved_tensors
        needs_x, needs_W, needs_b, *rest = ctx.needs_input_grad
        z = affine(x, W, b)
        q = (1 - ctx.eps) * one_hot(target, z) + ctx.eps / len(W)
        delta = _grads_of_rows(ctx, grad_J, mask, len(x)).to(z.dtype)[:, None] * (z.softmax(-1) - q)
        return (
            delta @ W if needs_x else None,
            delta.mT @ x if needs_W else None,
            delta.sum(0) if needs_b else None,
            *(None for _ in rest),
        )


def _grads_of_rows(ctx: Any, grad_J: Tensor, mask: Tensor | None, B: int) -> Tensor:
    """dJ/dJ_i for each row: scale grad_J, and 0 where the target is ignored."""
    return (ctx.scale * (grad_J if mask is None else grad_J * mask)).expand(B)


def _in_blocks(
    x: Tensor,
    W: Tensor,
    b: Tensor | None,
    target: Tensor,
    c: Tensor | None,
    eps: float,
    needs_grad: list[bool],
    scale: float = 1.0,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """c_i J_i for each row, and the gradients of scale sum_i c_i J_i by x, W and b where needed; c = 1 by default."""
    B, K = len(x), len(W)
    acc_dtype = torch.promote_types(x.dtype, torch.float32)
    J = x.new_empty(B, dtype=acc_dtype)
    dx = torch.empty_like(x) if needs_grad[0] else None
    dW = (torch.empty_like if B else torch.zeros_like)(W, dtype=acc_dtype) if needs_grad[1] else None
    db = x.new_zeros(K, dtype=acc_dtype) if needs_grad[2] else None
    b = x.new_zeros(()) if b is None else b
    buffer = x.new_empty(min(B, ROWS), K)
    target = target[:, None]
    for i in range(0, B, ROWS):
        block = slice(i, i + ROWS)
        z = torch.addmm(b, x[block], W.mT, out=buffer[: B - i]).to(acc_dtype)
        z_max, z_target = z.amax(-1, keepdim=True), z.gather(-1, target[block])
        J_i = z_max - z_target + (eps and eps * (z_target - z.mean(-1, keepdim=True)))
        p = torch.softmax(z, -1, out=z)
        J_i = J_i - p.amax(-1, keepdim=True).log()  # log sum_k exp(z_k) = z_max - log p_max
        if c is not None:
            c_i = c[block, None].to(acc_dtype)
            J_i = (c_i * J_i).masked_fill(c_i == 0, 0)
        J[block] = J_i.squeeze(-1)
        if not any(needs_grad):
            continue
        delta = p.scatter_add_(-1, target[block], p.new_full((len(p), 1), eps - 1))  # p - q
        if eps:
            delta -= eps / K
        if c is not None:
            delta *= c_i
        if db is not None:
            db.add_(delta.sum(0), alpha=scale)
        if dx is not None:
            torch.mm(delta.to(x.dtype), W, out=dx[block]).mul_(scale)
        if dW is not None:  # in float16 the sum over a block could overflow
            factor = acc_dtype if x.dtype == torch.float16 else x.dtype
            _add_product(dW, delta.to(factor).mT, scale * x[block].to(factor), is_first=i == 0)
    return J, dx, dW, db


def _add_product(out: Tensor, A: Tensor, B: Tensor, is_first: bool) -> None:
    """out += A B; out = A B for the first block, whose out is uninitialised."""
    if A.dtype == out.dtype:
        torch.addmm(out, A, B, beta=0 if is_first else 1, out=out)
    elif is_first:
        out.copy_(A @ B)
    else:
        out += A @ B
