r"""1.4 The max-margin objective: the true window must outscore the corrupt one by a margin.

$$J = \max(0, \Delta + s_c - s)$$
"""

from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_floating, check_number, check_reduction
from ._function import Function, autocast, reduce, save_tensors


def max_margin_loss(s: Tensor, s_c: Tensor, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    r"""$J = \max(0, \Delta + s_c - s)$ per pair. As ``torch.nn.functional.margin_ranking_loss`` with target 1.

    Args:
        s: scores of the true windows, (...).
        s_c: scores of the corrupt windows, with as many dimensions as s; sizes of 1 are broadcast.
        margin: $\Delta$, at least 0.
        reduction: "mean" or "sum" over the pairs, or "none".

    Returns:
        J, (), or (...) for "none". Its gradient is -1 for s and +1 for s_c where the margin is violated, else 0.
        At the kink, $s - s_c = \Delta$, it counts as violated, as in torch.

    Raises:
        ValueError: shapes that do not match, a negative margin, an unknown reduction.
        TypeError: scores that are not floating-point tensors.
    """
    check_floating("s", s)
    check_floating("s_c", s_c)
    check_number("margin", margin, at_least=0)
    check_reduction(reduction)
    if s.ndim != s_c.ndim or any(n != m and 1 not in (n, m) for n, m in zip(s.shape, s_c.shape, strict=True)):
        raise ValueError(f"s_c must have the shape of s, {tuple(s.shape)}, or sizes of 1, got {tuple(s_c.shape)}")
    s, s_c = torch.broadcast_tensors(*autocast(s, s_c, to=torch.float32))
    return reduce(_MaxMargin.call(s, s_c, margin), reduction)


class _MaxMargin(Function):
    @staticmethod
    def forward(s: Tensor, s_c: Tensor, margin: float) -> Tensor:
        return (margin - (s - s_c)).clamp(min=0)  # in this order the margin is not rounded away by large scores

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, J: Any) -> None:
        s, s_c, ctx.margin = inputs
        save_tensors(ctx, s, s_c)

    @staticmethod
    def backward(ctx: Any, grad_J: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_s_c = grad_J * _MaxMargin.violated(ctx)
        return -grad_s_c, grad_s_c, None

    @staticmethod
    def pushforward(ctx: Any, ds: Tensor, ds_c: Tensor, _: None) -> Tensor:
        return (ds_c - ds) * _MaxMargin.violated(ctx)

    @staticmethod
    def violated(ctx: Any) -> Tensor:
        """1 where s - s_c <= margin, else 0."""
        s, s_c = ctx.saved_tensors
        return (ctx.margin - (s - s_c) >= 0).to(s.dtype)


class MaxMarginLoss(nn.Module):
    """:func:`max_margin_loss` as a Module."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__()
        check_number("margin", margin, at_least=0)
        check_reduction(reduction)
        self.margin, self.reduction = margin, reduction

    def forward(self, s: Tensor, s_c: Tensor) -> Tensor:
        return max_margin_loss(s, s_c, self.margin, self.reduction)

    def extra_repr(self) -> str:
        return f"margin={self.margin}, reduction={self.reduction!r}"
