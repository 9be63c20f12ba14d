"""The formulas of other modules once more, each in a single buffer.

A function here is a decorator of the formula that it equals. It runs in the formula's place unless autograd, a
transform or a compiler reads along, or unless it returns None: it then knows that the formula would be more exact.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from ._torch import is_legacy_batched, is_transformed

Formula = TypeVar("Formula", bound=Callable[..., Any])


def is_last(*args: Any) -> bool:
    """Whether nobody differentiates, maps or traces what is now computed, so that it may reuse its own memory."""
    if torch.is_grad_enabled() or is_transformed():
        return False
    for t in args:
        if type(t) is Tensor or type(t) is nn.Parameter:
            if is_legacy_batched(t):
                return False
        elif isinstance(t, Tensor):  # a subclass, with arithmetic of its own
            return False
    return True


def of_backward(in_place: Callable[..., Any]) -> Callable[[Formula], Formula]:
    """Make a decorator of a backward pass; ``in_place`` is given ctx, the incoming gradient and what was kept."""

    def decorate(formula: Formula) -> Formula:
        @functools.wraps(formula)
        def either(ctx: Any, grad: Tensor | None, *rest: Any) -> Any:
            kept = ctx.saved_tensors
            if grad is not None and is_last(grad, *kept):
                found = in_place(ctx, grad, *kept)
                if found is not None:
                    return found
            return formula(ctx, grad, *rest)

        return cast(Formula, either)

    return decorate


def of_function(in_place: Callable[..., Any]) -> Callable[[Formula], Formula]:
    """Make a decorator of a function; ``in_place`` is given its arguments."""

    def decorate(formula: Formula) -> Formula:
        @functools.wraps(formula)
        def either(*args: Any, **settings: Any) -> Any:
            found = in_place(*args, **settings) if is_last(*args) else None
            return formula(*args, **settings) if found is None else found

        return cast(Formula, either)

    return decorate


@of_backward
def sigmoid(ctx: Any, grad_a: Tensor, a: Tensor) -> Tensor:
    return torch.addcmul(a, a, a, value=-1).mul_(grad_a)  # (a - a a) grad_a


@of_backward
def tanh(ctx: Any, grad_a: Tensor, a: Tensor) -> Tensor | None:
    if a.dtype.itemsize < 4:
        return None
    aa = a * a
    return torch.addcmul(grad_a, grad_a, aa, value=-1, out=aa)  # grad_a - grad_a a a


@of_function
def hardtanh_prime(z: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor | None:
    if min_val != -max_val or z.dtype.itemsize < 4:
        return None
    return z.abs().ge_(max_val).neg_().add_(1)


@of_backward
def hardtanh(ctx: Any, grad_a: Tensor, z: Tensor) -> tuple[Tensor, None, None] | None:
    if ctx.min_val != -ctx.max_val or z.dtype.itemsize < 4:
        return None
    outside = z.abs().ge_(ctx.max_val)
    return torch.addcmul(grad_a, outside, grad_a, value=-1, out=outside), None, None  # grad_a - outside grad_a


@of_function
def softsign(z: Tensor) -> Tensor:
    t = z.abs().add_(1)
    return torch.div(z, t, out=t)


@of_backward
def softsign_backward(ctx: Any, grad_a: Tensor, z: Tensor) -> Tensor | None:
    if z.dtype.itemsize < 4:
        return None
    t = z.abs().add_(1)
    return torch.div(grad_a, t.mul_(t), out=t)  # grad_a / (1 + |z|)^2


@of_backward
def relu(ctx: Any, grad_a: Tensor, a: Tensor) -> Tensor:
    return torch.ne(a, 0, out=torch.empty_like(a)).mul_(grad_a)


@of_backward
def leaky_relu(ctx: Any, grad_a: Tensor, z: Tensor) -> tuple[Tensor, None] | None:
    if not 0 <= ctx.negative_slope <= 1:
        return None
    return z.sign().clamp_(min=ctx.negative_slope).mul_(grad_a), None


@of_backward
def softmax_cross_entropy(ctx: Any, grad_J: Tensor, z: Tensor, target: Tensor) -> tuple[Tensor, None]:
    grad_J = grad_J[..., None]
    return z.softmax(-1).mul_(grad_J).scatter_add_(-1, target[..., None], -grad_J), None  # p grad_J - grad_J at target


@of_function
def rows_of_products(delta_s: Tensor, W_s: Tensor, delta_v: Tensor, W_v: Tensor, X: Tensor) -> Tensor:
    dX = torch.empty_like(X)
    start = 0
    for delta, W in ((delta_s, W_s), (delta_v, W_v)):
        dx = dX.view(-1)[start : start + len(delta) * W.shape[1]]
        torch.mm(delta, W, out=dx.view(len(delta), W.shape[1]))
        start += dx.numel()
    return dX
