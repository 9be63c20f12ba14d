r"""Softmax cross-entropy: the objective of the window classifier and of the language model.

$$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad J = -\log p_t, \qquad \frac{\partial J}{\partial z_k} = p_k - [k = t]$$

for the scores z and the target t.
"""

from typing import Any

import torch
from torch import Tensor, nn

from . import _in_place
from ._checks import bounds, check_indices, check_number, check_reduction, check_shapes
from ._function import Function, autocast, keep, reduce


def softmax_cross_entropy(
    z: Tensor,
    target: Tensor,
    reduction: str = "mean",
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """J = -log softmax(z)_target = log(sum_k exp(z_k)) - z_target, example by example.

    As ``torch.nn.functional.cross_entropy``, save that the classes stand last, whatever comes before.

    Args:
        z: scores of the K classes, (..., K).
        target: the right class, whole numbers in 0 to K - 1, (...); or a probability q_k for every class,
            (..., K), for J = -sum_k q_k log softmax(z)_k.
        reduction: "mean" or "sum" over the examples, or "none".
        weight: w_k, what an example of class k counts, (K,). The mean is then over the sum of the weights.
        ignore_index: the target of examples that count nothing.
        label_smoothing: the share eps of the target that goes in equal parts to all classes,
            q = (1 - eps) q + eps / K.

    Returns:
        J in nats, (), or (...) for "none". With p = softmax(z), delta = dJ/dz = p - q.

    Raises:
        ValueError: shapes that do not fit, an unknown reduction, a label_smoothing outside 0 to 1.
        IndexError: a target outside 0 to K - 1 other than ignore_index.
        TypeError: z is not a floating-point tensor, or target holds no whole numbers.
    """
    check_shapes("... K, K", z=z, weight=weight)
    check_reduction(reduction)
    check_number("label_smoothing", label_smoothing, at_least=0, at_most=1)
    (z,), K = autocast(z, to=torch.float32), z.shape[-1]
    if isinstance(target, Tensor) and target.is_floating_point() and target.shape == z.shape:
        q = target if label_smoothing == 0 else (1 - label_smoothing) * target + label_smoothing / K
        q = q if weight is None else q * weight
        dtype = torch.promote_types(z.dtype, q.dtype)
        J = _CrossEntropy.call(z.to(dtype), q.to(dtype))
        return reduce(J, reduction)

    target, kept = known_targets(target, z.shape, "z", ignore_index)
    J = _SoftmaxCrossEntropy.call(z, target)
    w = None if weight is None else weight[target]
    if w is not None:
        J = J * w
    if label_smoothing > 0:
        all_classes = (z.new_ones(K) if weight is None else weight) * (label_smoothing / K)
        J = torch.add(_CrossEntropy.call(z, all_classes.expand_as(z)), J, alpha=1 - label_smoothing)
    if kept is not None:
        J = J.masked_fill(~kept, 0)
        w = kept if w is None else w * kept
    if reduction == "mean" and w is not None:
        wide = torch.promote_types(J.dtype, torch.float32)
        return (J.sum(dtype=wide) / w.sum(dtype=wide)).to(J.dtype)
    return reduce(J, reduction)


def known_targets(target: Tensor, shape: tuple[int, ...], of: str, ignore_index: int) -> tuple[Tensor, Tensor | None]:
    """The targets, 0 where they are ignored; and which are kept, None where it is seen that all are."""
    check_indices("target", target)
    if target.shape != shape[:-1]:
        raise ValueError(
            f"target must have the shape of {of} without its last size, {tuple(shape[:-1])}, got {tuple(target.shape)}"
        )
    K = shape[-1]
    found = bounds(target)
    if found is not None and found[0] >= 0 and found[1] < K and not found[0] <= ignore_index <= found[1]:
        return target, None
    kept = target != ignore_index
    target = torch.where(kept, target, 0)
    check_indices("target", target, K, f"classes of {of}")
    return target, kept


class _SoftmaxCrossEntropy(Function):
    """J = -log p_target, delta = dJ/dz = p - q, where q is 1 at the target and 0 elsewhere."""

    @staticmethod
    def forward(z: Tensor, target: Tensor) -> Tensor:
        return -z.log_softmax(-1).gather(-1, target[..., None]).squeeze(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, J: Any) -> None:
        keep(ctx, *inputs)

    @staticmethod
    @_in_place.softmax_cross_entropy
    def backward(ctx: Any, grad_J: Tensor) -> tuple[Tensor, None]:
        z, target = ctx.saved_tensors
        return grad_J[..., None] * (z.softmax(-1) - one_hot(target, z)), None

    @staticmethod
    def pushforward(ctx: Any, dz: Tensor, _: None) -> Tensor:
        z, target = ctx.saved_tensors
        return ((z.softmax(-1) - one_hot(target, z)) * dz).sum(-1)


def one_hot(target: Tensor, z: Tensor) -> Tensor:
    return (target[..., None] == torch.arange(z.shape[-1], device=z.device)).to(z.dtype)


class _CrossEntropy(Function):
    """J = -sum_k q_k log p_k for any q: delta = dJ/dz = (sum_k q_k) p - q, and dJ/dq = -log p."""

    @staticmethod
    def forward(z: Tensor, q: Tensor) -> Tensor:
        return -(q * z.log_softmax(-1)).sum(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, J: Any) -> None:
        keep(ctx, *inputs)

    @staticmethod
    def backward(ctx: Any, grad_J: Tensor) -> tuple[Tensor | None, Tensor | None]:
        z, q = ctx.saved_tensors
        z_, q_ = ctx.needs_input_grad
        grad_J = grad_J[..., None]
        return (
            grad_J * (q.sum(-1, keepdim=True) * z.softmax(-1) - q) if z_ else None,
            -grad_J * z.log_softmax(-1) if q_ else None,
        )

    @staticmethod
    def pushforward(ctx: Any, dz: Tensor, dq: Tensor) -> Tensor:
        z, q = ctx.saved_tensors
        return ((q.sum(-1, keepdim=True) * z.softmax(-1) - q) * dz - dq * z.log_softmax(-1)).sum(-1)


class SoftmaxCrossEntropyLoss(nn.Module):
    """:func:`softmax_cross_entropy` as a Module."""

    weight: Tensor | None

    def __init__(
        self,
        reduction: str = "mean",
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        check_number("label_smoothing", label_smoothing, at_least=0, at_most=1)
        self.register_buffer("weight", weight)
        self.reduction, self.ignore_index, self.label_smoothing = reduction, ignore_index, label_smoothing

    def forward(self, z: Tensor, target: Tensor) -> Tensor:
        return softmax_cross_entropy(
            z,
            target,
            self.reduction,
            weight=self.weight,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )

    def extra_repr(self) -> str:
        text = f"reduction={self.reduction!r}"
        text += f", ignore_index={self.ignore_index}" if self.ignore_index != -100 else ""
        return text + (f", label_smoothing={self.label_smoothing}" if self.label_smoothing else "")
