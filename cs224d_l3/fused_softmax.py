"""Softmax cross-entropy fused with the affine layer before it: z = Wx + b, J = -log softmax(z)_target.

The objective of a language model, whose scores would fill the memory.
"""

from typing import Any

import torch
from torch import Tensor

from . import _in_place
from ._checks import check_number, check_reduction, check_shapes
from ._function import Function, autocast, rows
from ._torch import is_transformed
from .layer import affine
from .softmax import known_targets, one_hot, softmax_cross_entropy

ROWS = 512  # examples whose scores are held at a time: enough for the products to run at full speed


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
    """``softmax_cross_entropy(affine(x, W, b), target)`` that never holds the scores of the whole batch.

    The scores z = Wx + b are made for a block of 512 examples at a time, turned in place into their gradient
    p - q, multiplied into the gradients of x, W and b, and overwritten by the next: memory grows with K, the
    size of the vocabulary, and not with B K. For "mean" and "sum" this is one pass; "none", whose incoming
    gradients are not known before, makes the scores a second time. Sums over examples are kept in float32.
    Second-order gradients hold all scores at once, and so does what runs in forward mode, under
    ``torch.func`` or under ``torch.compile``: there it is the composition. The gradients are made with J, and kept
    until the backward pass takes them: where there will be none, call it under ``torch.no_grad``.

    Args:
        x: inputs, (..., n).
        W: weights, one row a class, (K, n).
        b: biases, (K,), or None.
        target: the right class, whole numbers in 0 to K - 1, (...).
        reduction: "mean" or "sum" over the examples, or "none".
        ignore_index: the target of examples that count nothing.
        label_smoothing: the share of the target that goes in equal parts to all classes.

    Returns:
        J in nats, (), or (...) for "none".

    Raises:
        ValueError: shapes that do not fit, an unknown reduction, a label_smoothing outside 0 to 1.
        IndexError: a target outside 0 to K - 1 other than ignore_index.
        TypeError: x, W or b is not a floating-point tensor, or target holds no whole numbers.
    """
    check_shapes("... n, K n, K", x=x, W=W, b=b)
    check_reduction(reduction)
    check_number("label_smoothing", label_smoothing, at_least=0, at_most=1)
    if is_transformed():
        options: dict[str, Any] = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
        return softmax_cross_entropy(affine(x, W, b), target, reduction, **options)
    target, kept = known_targets(target, (*x.shape[:-1], len(W)), "x W^T", ignore_index)
    x_, W, b = autocast(x, W, b)
    total = reduction != "none"
    wanted = [total and torch.is_grad_enabled() and t is not None and t.requires_grad for t in (x_, W, b)]
    share = 1 / target.numel() if reduction == "mean" and kept is None else 1.0
    targets = target.reshape(-1), kept if kept is None else kept.reshape(-1)
    J, *_ = _AffineSoftmaxCrossEntropy.call(rows(x_), W, b, *targets, label_smoothing, total, share, wanted)
    if reduction == "mean" and kept is not None:
        J = torch.where(kept.any(), J / kept.sum().clamp(min=1), torch.nan)
    J = J if total else J.reshape(target.shape)
    return J if torch.is_autocast_enabled(x.device.type) else J.to(x.dtype)


@_in_place.of_backward
def _hand_over(
    ctx: Any, grad_J: Tensor, x: Tensor, W: Tensor, b: Tensor | None, target: Tensor, kept: Tensor | None
) -> tuple[Tensor | None, ...]:
    """The gradients that were made with J. They are given away uncopied: a second backward pass makes them anew."""
    x_, W_, b_, *rest = ctx.needs_input_grad
    made, ctx.made = ctx.made, None
    if made is None:
        c = _grads_of_rows(ctx, grad_J, kept, len(x))
        made = _in_blocks(x, W, b, target, c, ctx.eps, [x_, W_, b_])[1:]
    elif not (grad_J.is_cpu and grad_J.item() == 1):
        made = [g if g is None else g.mul_(grad_J) for g in made]
    return *(g if g is None else g.to(x.dtype) for g in made), *(None for _ in rest)


class _AffineSoftmaxCrossEntropy(Function):
    """J_i = -sum_k q_k log p_k of every row of x, or a share of their total; delta = dJ/dz = p - q."""

    @staticmethod
    def forward(
        x: Tensor,
        W: Tensor,
        b: Tensor | None,
        target: Tensor,
        kept: Tensor | None,
        eps: float,
        total: bool,
        share: float,
        wanted: list[bool],
    ) -> tuple[Tensor | None, ...]:
        J, *gradients = _in_blocks(x, W, b, target, kept, eps, wanted, share)
        return share * J.sum() if total else J, *gradients

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, outputs: Any) -> None:
        *tensors, ctx.eps, total, ctx.share, _ = inputs
        ctx.made = outputs[1:] if total else None
        ctx.mark_non_differentiable(*(g for g in outputs[1:] if g is not None))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)

    @staticmethod
    @_hand_over
    def backward(ctx: Any, grad_J: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        if grad_J is None:
            return (None,) * 9
        x, W, b, target, kept = ctx.saved_tensors
        x_, W_, b_, *rest = ctx.needs_input_grad
        z = affine(x, W, b)
        q = (1 - ctx.eps) * one_hot(target, z) + ctx.eps / len(W)
        delta = _grads_of_rows(ctx, grad_J, kept, len(x)).to(z.dtype)[:, None] * (z.softmax(-1) - q)
        return (
            delta @ W if x_ else None,
            delta.mT @ x if W_ else None,
            delta.sum(0) if b_ else None,
            *(None for _ in rest),
        )


def _grads_of_rows(ctx: Any, grad_J: Tensor, kept: Tensor | None, B: int) -> Tensor:
    """dJ/dJ_i of every row: its share, and nothing where the target is ignored."""
    return (ctx.share * (grad_J if kept is None else grad_J * kept)).expand(B)


def _in_blocks(
    x: Tensor,
    W: Tensor,
    b: Tensor | None,
    target: Tensor,
    c: Tensor | None,
    eps: float,
    wanted: list[bool],
    share: float = 1.0,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """c_i J_i of every row, and the wanted gradients of share sum_i c_i J_i for x, W and b. No c is a 1 for each."""
    B, K = len(x), len(W)
    wide = torch.promote_types(x.dtype, torch.float32)
    J = x.new_empty(B, dtype=wide)
    dx = torch.empty_like(x) if wanted[0] else None
    dW = (torch.empty_like if B else torch.zeros_like)(W, dtype=wide) if wanted[1] else None
    db = x.new_zeros(K, dtype=wide) if wanted[2] else None
    b = x.new_zeros(()) if b is None else b
    buffer = x.new_empty(min(B, ROWS), K)
    target = target[:, None]
    for i in range(0, B, ROWS):
        block = slice(i, i + ROWS)
        z = torch.addmm(b, x[block], W.mT, out=buffer[: B - i]).to(wide)
        z_max, z_target = z.amax(-1, keepdim=True), z.gather(-1, target[block])
        J_i = z_max - z_target + (eps and eps * (z_target - z.mean(-1, keepdim=True)))
        p = torch.softmax(z, -1, out=z)
        J_i = J_i - p.amax(-1, keepdim=True).log()  # log sum_k exp(z_k) = z_max - log p_max
        if c is not None:
            c_i = c[block, None].to(wide)
            J_i = (c_i * J_i).masked_fill(c_i == 0, 0)
        J[block] = J_i.squeeze(-1)
        if not any(wanted):
            continue
        delta = p.scatter_add_(-1, target[block], p.new_full((len(p), 1), eps - 1))  # p - q
        if eps:
            delta -= eps / K
        if c is not None:
            delta *= c_i
        if db is not None:
            db.add_(delta.sum(0), alpha=share)
        if dx is not None:
            torch.mm(delta.to(x.dtype), W, out=dx[block]).mul_(share)
        if dW is not None:  # float16 could not hold the sum over a block
            factor = wide if x.dtype == torch.float16 else x.dtype
            _add_product(dW, delta.to(factor).mT, share * x[block].to(factor), is_first=i == 0)
    return J, dx, dW, db


def _add_product(total: Tensor, A: Tensor, B: Tensor, is_first: bool) -> None:
    """total += A B, whatever is in it where it is the first."""
    if A.dtype == total.dtype:
        torch.addmm(total, A, B, beta=0 if is_first else 1, out=total)
    elif is_first:
        total.copy_(A @ B)
    else:
        total += A @ B
