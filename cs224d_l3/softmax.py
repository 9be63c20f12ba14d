"""Softmax cross-entropy: the objective of the window classifier."""

from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_indices, check_reduction, check_shapes
from ._function import Function, reduce


def softmax_cross_entropy(z: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """J = -log softmax(z)_target = log(sum_k exp(z_k)) - z_target, example by example.

    Args:
        z: scores of the K classes, (..., K); the classes stand last, whatever comes before.
        target: the right class, whole numbers in 0 to K - 1, (...).
        reduction: "mean" or "sum" over the examples, or "none".

    Returns:
        J in nats, (), or (...) for "none". With p = softmax(z) its gradient is p - 1 at the target, p elsewhere.

    Raises:
        ValueError: shapes that do not fit, an unknown reduction.
        IndexError: a target outside 0 to K - 1.
        TypeError: z is not a floating-point tensor, or target holds no whole numbers.
    """
    check_shapes("... K", z=z)
    check_reduction(reduction)
    check_indices("target", target, z.shape[-1], "classes of z")
    if target.shape != z.shape[:-1]:
        raise ValueError(
            f"target must have the shape of z without its last size, {tuple(z.shape[:-1])}, got {tuple(target.shape)}"
        )
    return reduce(_SoftmaxCrossEntropy.apply(z, target), reduction)


class _SoftmaxCrossEntropy(Function):
    @staticmethod
    def forward(z: Tensor, target: Tensor) -> Tensor:
        return -z.log_softmax(-1).gather(-1, target[..., None]).squeeze(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, J: Any) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor, None]:
        z, target = ctx.saved_tensors
        truth = target[..., None] == torch.arange(z.shape[-1], device=z.device)
        return delta[..., None] * (z.softmax(-1) - truth.to(z.dtype)), None


class SoftmaxCrossEntropyLoss(nn.Module):
    """:func:`softmax_cross_entropy` as a Module."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction

    def forward(self, z: Tensor, target: Tensor) -> Tensor:
        return softmax_cross_entropy(z, target, self.reduction)

    def extra_repr(self) -> str:
        return f"reduction={self.reduction!r}"
