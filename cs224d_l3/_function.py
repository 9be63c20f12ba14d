"""What every hand-written Function of the lecture shares.

A Function states its forward pass, what it keeps (``setup_context``), its backward pass, and its forward mode
(``pushforward``: the tangents of the inputs to the tangent of the output). The passes are themselves made of
differentiable tensor operations on what was kept, so that higher orders follow from them; and torch derives the
batched rule (``vmap``, and with it ``torch.func``) from all of them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ._torch import are_transforms_active, is_any_autocast_enabled, loses_gradients, plain_apply

_TRACES_TRANSFORMS = torch.__version__ >= "2.9"  # whether Dynamo can be asked for transforms of torch.func


class Function(torch.autograd.Function):
    """``torch.autograd.Function`` that works in eager mode, under ``torch.func`` and under ``torch.compile``.

    The rule for forward mode is called ``pushforward`` because Dynamo refuses a Function with a ``jvp``. It
    is ``jvp`` in a subclass, ``dual``, which :meth:`call` takes wherever the code is not being traced.

    In three places torch loses the gradients of any Function, in silence: forward mode inside forward mode,
    ``torch.func`` inside ``torch.compile``, and ``functionalize``. There the forward pass alone is run, and torch
    differentiates it.
    """

    generate_vmap_rule = True
    dual: "type[Function]"
    plain: Callable[..., Tensor]

    def __init_subclass__(cls) -> None:
        rule = vars(cls).get("pushforward")
        cls.dual = cls if rule is None else type(cls.__name__, (cls,), {"jvp": rule})
        cls.plain = plain_apply(cls.dual)

    @classmethod
    def call(cls, *args: Any) -> Tensor:
        """Run the Function; every argument in its place, none left to its default."""
        if torch.compiler.is_compiling():
            return cls.forward(*args) if _TRACES_TRANSFORMS and are_transforms_active() else cls.apply(*args)
        if not are_transforms_active():
            return cls.plain(*args)
        return cls.forward(*args) if loses_gradients() else cls.dual.apply(*args)


def keep(ctx: Any, *tensors: Tensor | None) -> None:
    """Keep tensors for the backward pass and for forward mode: ``ctx.saved_tensors`` in both."""
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)


def autocast(first: Tensor, *others: Tensor | None, to: torch.dtype | None = None) -> Sequence[Any]:
    """Under autocast, the tensors in its type, as torch's own products read them; otherwise as they are.

    Losses are taken in float32 there (``to``), as torch's are.
    """
    tensors = (first, *others)
    if not is_any_autocast_enabled() or not torch.is_autocast_enabled(first.device.type):
        return tensors
    dtype = to or torch.get_autocast_dtype(first.device.type)
    return [t if t is None or t.dtype == torch.float64 else t.to(dtype) for t in tensors]


def reduce(J: Tensor, reduction: str) -> Tensor:
    """One number out of the losses of a batch, as torch's losses do."""
    if reduction == "mean":
        return J.mean()
    return J.sum() if reduction == "sum" else J


def rows(t: Tensor) -> Tensor:
    """The rows of a batch of any shape, one below the other: (..., n) -> (B, n)."""
    return t if t.ndim == 2 else t.reshape(math.prod(t.shape[:-1]), t.shape[-1])  # Size.numel() is no symbol
