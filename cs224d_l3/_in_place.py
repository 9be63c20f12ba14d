"""In-place versions of formulas in other modules: the same result with a single buffer.

Each is a decorator of the formula it replaces. It runs instead of the formula unless autograd, a transform or a
compiler records the operations; where it would be less accurate it returns None, and the formula runs.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from ._torch import is_legacy_batched, is_transformed

Formula = TypeVar("Formula", bound=Callable[..., Any])


def is_unrecorded(*args: Any) -> bool:
    """Whether no autograd, transform or compiler records operations on these tensors, so that buffers may be reused."""
    if torch.is_grad_enabled() or is_transformed():
        return False
    for t in args:
        if type(t) is Tensor or type(t) is nn.Parameter:
            if is_legacy_batched(t):
                return False
        elif isinstance(t, Tensor):  # a subclass may override the arithmetic
            return False
    return True


def of_backward(in_place: Callable[..., Any]) -> Callable[[Formula], Formula]:
    """Decorator of a backward pass; ``in_place`` receives ctx, the incoming gradient and the saved tensors."""

    def decorate(formula: Formula) -> Formula:
        @functools.wraps(formula)
        def wrapper(ctx: Any, grad: Tensor | None, *rest: Any) -> Any:
            saved = ctx.saved_tensors
            if grad is not None and is_unrecorded(grad, *saved):
                result = in_place(ctx, grad, *saved)
                if result is not None:
                    return result
            return formula(ctx, grad, *rest)

        return cast(Formula, wrapper)

    return decorate


def of_function(in_place: Callable[..., Any]) -> Callable[[Formula], Formula]:
    """Decorator of a function; ``in_place`` receives the same arguments."""

    def decorate(formula: Formula) -> Formula:
        @functools.wraps(formula)
        def wrapper(*args: Any, **settings: Any) -> Any:
            result = in_place(*args, **settings) if is_unrecorded(*args) else None
            return formula(*args, **settings) if result is None else result

        return cast(Formula, wrapper)

    return decorate


@of_backward
def sigmoid(ctx: Any, grad_a: Tensor, a: Tensor) -> Tensor:
    return torch.addcmul(a, a, a, value=-1).mul_(grad_a)  # (a - a a) grad_a


@of_backward
def tanh(ctx: Any, grad_a: Tensor, a: Tensor) -> Tensor | None:
    if a.dtype.itemsize < 4:  # half precision: a a is rounded before it is subtracted
        return None
    aa = a * a
    return torch.addcmul(grad_a, grad_a, aa, value=-1, out=aa)  # grad_a - grad_a a a


@of_function
def tanh_prime_of_a(a: Tensor) -> Tensor:
    t = 1 - a
    return t.addcmul_(t, a)  # (1 - a) + (1 - a) a


@of_function
def hardtanh_prime(z: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor | None:
    if min_val != -max_val or z.dtype.itemsize < 4:  # half precision may not represent the bounds
        return None
    return z.abs().ge_(max_val).neg_().add_(1)


@of_backward
def hardtanh(ctx: Any, grad_a: Tensor, z: Tensor) -> tuple[Tensor, None, None] | None:
    if ctx.min_val != -ctx.max_val or z.dtype.itemsize < 4:  # as in hardtanh_prime
        return None
    outside = z.abs().ge_(ctx.max_val)
    return torch.addcmul(grad_a, outside, grad_a, value=-1, out=outside), None, None  # grad_a - outside grad_a


@of_function
def softsign(z: Tensor) -> Tensor:
    t = z.abs().add_(1)
    return torch.div(z, t, out=t)


@of_backward
def softsign_backward(ctx: Any, grad_a: Tensor, z: Tensor) -> Tensor | None:
    if z.dtype.itemsize < 4:  # the square overflows float16 at |z| = 256
        return None
    t = z.abs().add_(1)
    return torch.div(grad_a, t.mul_(t), out=t)  # grad_a / (1 + |z|)^2


@of_backward
def relu(ctx: Any, grad_a: Tensor, a: Tensor) -> Tensor:
    return torch.ne(a, 0, out=torch.empty_like(a)).mul_(grad_a)


@of_backward
def leaky_relu(ctx: Any, grad_a: Tensor, z: Tensor) -> tuple[Tensor, None] | None:
    if not 0 <= ctx.negative_slope <= 1:  # outside, clamp(sign(z), min=k) is not the derivative
        return None
    return z.sign().clamp_(min=ctx.negative_slope).mul_(grad_a), None


@of_backward
def softmax_cross_entropy(ctx: Any, grad_J: Tensor, z: Tensor, target: Tensor) -> tuple[Tensor, None]:
    grad_J = grad_J[..., None]
    return z.softmax(-1).mul_(grad_J).scatter_add_(-1, target[..., None], -grad_J), None  # p grad_J - grad_J at target


@of_function
def error_of_unit(unit: Any, a: Tensor, grad_a: Tensor) -> Tensor:
    f_prime: Tensor = unit.f_prime_of_a(a)
    return f_prime.mul_(grad_a)


@of_function
def softmax_error(p: Tensor, target: Tensor) -> Tensor:
    return p.scatter_add(1, target[:, None], p.new_full((len(p), 1), -1.0))


@of_function
def rows_of_products(delta_s: Tensor, W_s: Tensor, delta_v: Tensor, W_v: Tensor, X: Tensor) -> Tensor:
    dX = torch.empty_like(X)
    start = 0
    for delta, W in ((delta_s, W_s), (delta_v, W_v)):
        dx = dX.view(-1)[start : start + len(delta) * W.shape[1]]
        torch.mm(delta, W, out=dx.view(len(delta), W.shape[1]))
        start += dx.numel()
    return dX
