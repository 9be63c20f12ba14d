"""What every hand-written Function of the lecture shares.

A Function states its forward pass, what it keeps (``setup_context``), and its backward pass. The backward
pass is itself made of differentiable tensor operations on what was kept, so that second-order gradients
follow from it; and torch derives the batched rule (``vmap``, and with it ``torch.func``) from both.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor


class Function(torch.autograd.Function):
    """``torch.autograd.Function`` with a generated vmap rule."""

    generate_vmap_rule = True

    if TYPE_CHECKING:  # torch leaves `apply` untyped

        @classmethod
        def apply(cls, *args: Any) -> Tensor: ...


def autocast(*tensors: Tensor | None) -> list[Tensor | None]:
    """Under autocast, the tensors in its type, as torch's own products read them; otherwise as they are."""
    device = next(t.device.type for t in tensors if t is not None)
    if not torch.is_autocast_enabled(device):
        return list(tensors)
    dtype = torch.get_autocast_dtype(device)
    return [t if t is None or t.dtype == torch.float64 else t.to(dtype) for t in tensors]


def reduce(J: Tensor, reduction: str) -> Tensor:
    """One number out of the losses of a batch, as torch's losses do."""
    if reduction == "mean":
        return J.mean()
    return J.sum() if reduction == "sum" else J


def rows(t: Tensor) -> Tensor:
    """The rows of a batch of any shape, one below the other: (..., n) -> (B, n)."""
    return t.reshape(t.shape[:-1].numel(), t.shape[-1])
