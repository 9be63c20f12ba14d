r"""Softmax cross-entropy: the objective of the window classifier and of the language model.

$$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad J = -\log p_t, \qquad \frac{\partial J}{\partial z_k} = p_k - [k = t]$$

for the scores z and the target t.
"""

from typing import Any

import torch
from torch import Tensor, nn

from . import _in_place
from ._checks import bounds, check_indices, check_number, check_reduction, check_shapes
from ._function import Function, autocast, reduce, save_inputs


def softmax_cross_entropy(
    z: Tensor,
    target: Tensor,
    reduction: str = "mean",
    *,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""$J = -\log \operatorname{softmax}(z)_t = \log \sum_k e^{z_k} - z_t$ for each example with scores z and target t.

    As ``torch.nn.functional.cross_entropy``, except that the classes are the last dimension.

    Args:
        z: scores of the K classes, (..., K).
        target: class indices, integers in [0, K), (...); or class probabilities q, (..., K), for
            $J = -\sum_k q_k \log \operatorname{softmax}(z)_k$.
        reduction: "mean" or "sum" over the examples, or "none".
        weight: class weights $w_k$, (K,). With class indices the mean is weighted too.
        ignore_index: target of the examples to ignore, which have J = 0 and do not count in the mean.
        label_smoothing: $\epsilon$; q, for class indices one-hot, becomes $(1 - \epsilon) q + \epsilon / K$.

    Returns:
        J in nats, (), or (...) for "none". With $p = \operatorname{softmax}(z)$,
        $\delta = \partial J / \partial z = p - q$.

    Raises:
        ValueError: shapes that do not match, an unknown reduction, a label_smoothing outside 0 to 1.
        IndexError: a target outside [0, K) other than ignore_index.
        TypeError: a z that is not floating-point, or a target that is neither int64 nor int32 nor probabilities.
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

    target, mask = mask_ignored(target, z.shape, "z", ignore_index)
    J = _SoftmaxCrossEntropy.call(z, target)
    w = None if weight is None else weight[target]
    if w is not None:
        J = J * w
    if label_smoothing > 0:
        all_classes = (z.new_ones(K) if weight is None else weight) * (label_smoothing / K)
        J = torch.add(_CrossEntropy.call(z, all_classes.expand_as(z)), J, alpha=1 - label_smoothing)
    if mask is not None:
        J = J.masked_fill(~mask, 0)
        w = mask if w is None else w * mask
    if reduction == "mean" and w is not None:
        acc_dtype = torch.promote_types(J.dtype, torch.float32)
        return (J.sum(dtype=acc_dtype) / w.sum(dtype=acc_dtype)).to(J.dtype)
    return reduce(J, reduction)


def mask_ignored(target: Tensor, shape: tuple[int, ...], of: str, ignore_index: int) -> tuple[Tensor, Tensor | None]:
    """The targets, 0 for ignore_index, and the mask target != ignore_index, None if known to be all True."""
    check_indices("target", target)
    if target.shape != shape[:-1]:
        expected, given = tuple(shape[:-1]), tuple(target.shape)
        raise ValueError(f"target must have the shape of {of} without its last dimension, {expected}, got {given}")
    K = shape[-1]
    found = bounds(target)
    if found is not None and found[0] >= 0 and found[1] < K and not found[0] <= ignore_index <= found[1]:
        return target, None
    mask = target != ignore_index
    target = torch.where(mask, target, 0)
    check_indices("target", target, K, f"classes of {of}")
    return target, mask


class _SoftmaxCrossEntropy(Function):
    """J = -log p_target, delta = dJ/dz = p - q with q = one_hot(target)."""

    setup_context = staticmethod(save_inputs)

    @staticmethod
    def forward(z: Tensor, target: Tensor) -> Tensor:
        return -z.log_softmax(-1).gather(-1, target[..., None]).squeeze(-1)

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

    setup_context = staticmethod(save_inputs)

    @staticmethod
    def forward(z: Tensor, q: Tensor) -> Tensor:
        return -(q * z.log_softmax(-1)).sum(-1)

    @staticmethod
    def backward(ctx: Any, grad_J: Tensor) -> tuple[Tensor | None, Tensor | None]:
        z, q = ctx.saved_tensors
        needs_z, needs_q = ctx.needs_input_grad
        grad_J = grad_J[..., None]
        return (
            grad_J * (q.sum(-1, keepdim=True) * z.softmax(-1) - q) if needs_z else None,
            -grad_J * z.log_softmax(-1) if needs_q else None,
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
