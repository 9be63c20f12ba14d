"""Base class and helpers of the hand-written autograd Functions.

A Function defines ``forward``, ``setup_context`` (the saved tensors), ``backward``, and ``pushforward``, the
Jacobian-vector product of forward mode: tangents of the inputs to the tangent of the output. Both derivatives are
differentiable operations on the saved tensors, so that autograd derives the higher orders; torch generates the
batching rule of ``vmap``, and thereby ``torch.func``, from all of them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ._torch import are_transforms_active, is_any_autocast_enabled, loses_gradients, plain_apply

_TRACES_TRANSFORMS = torch.__version__ >= "2.9"  # Dynamo supports are_transforms_active


class Function(torch.autograd.Function):
    """``torch.autograd.Function`` for eager mode, ``torch.func`` and ``torch.compile``.

    Dynamo rejects a Function that defines ``jvp``; the forward-mode rule is therefore named ``pushforward`` and is
    ``jvp`` only in the subclass ``with_jvp``, which :meth:`call` uses unless the code is traced.

    torch silently loses the gradients of any Function in three cases: nested forward mode, ``torch.func`` inside
    ``torch.compile``, and ``functionalize``. There only ``forward`` runs, and torch differentiates it.
    """

    generate_vmap_rule = True
    with_jvp: "type[Function]"
    plain: Callable[..., Tensor]

    def __init_subclass__(cls) -> None:
        rule = vars(cls).get("pushforward")
        cls.with_jvp = cls if rule is None else type(cls.__name__, (cls,), {"jvp": rule})
        cls.plain = plain_apply(cls.with_jvp)

    @classmethod
    def call(cls, *args: Any) -> Tensor:
        """Apply the Function; all arguments positional, none omitted."""
        if torch.compiler.is_compiling():
            return cls.forward(*args) if _TRACES_TRANSFORMS and are_transforms_active() else cls.apply(*args)
        if not are_transforms_active():
            return cls.plain(*args)
        return cls.forward(*args) if loses_gradients() else cls.with_jvp.apply(*args)


def save_tensors(ctx: Any, *tensors: Tensor | None) -> None:
    """Save tensors for the backward pass and for forward mode; both read ``ctx.saved_tensors``."""
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)


def save_output(ctx: Any, inputs: Any, output: Any) -> None:
    """``setup_context`` of a Function whose derivative is a function of its output."""
    save_tensors(ctx, output)


def save_inputs(ctx: Any, inputs: Any, output: Any) -> None:
    """``setup_context`` of a Function whose derivative is a function of its inputs, all of them tensors."""
    save_tensors(ctx, *inputs)


def autocast(first: Tensor, *others: Tensor | None, to: torch.dtype | None = None) -> Sequence[Any]:
    """Under autocast, the tensors cast to its dtype, as torch's matrix products cast theirs; else unchanged.

    ``to`` replaces that dtype: losses are computed in float32, as torch's are. float64 is never cast.
    """
    tensors = (first, *others)
    if not is_any_autocast_enabled() or not torch.is_autocast_enabled(first.device.type):
        return tensors
    dtype = to or torch.get_autocast_dtype(first.device.type)
    return [t if t is None or t.dtype == torch.float64 else t.to(dtype) for t in tensors]


def reduce(J: Tensor, reduction: str) -> Tensor:
    """Mean or sum of the losses of a mini-batch; the losses themselves for "none"."""
    if reduction == "mean":
        return J.mean()
    return J.sum() if reduction == "sum" else J


def rows(t: Tensor) -> Tensor:
    """All leading dimensions flattened into one: (..., n) -> (B, n)."""
    # math.prod stays symbolic under torch.compile, Size.numel() does not
    return t if t.ndim == 2 else t.reshape(math.prod(t.shape[:-1]), t.shape[-1])
