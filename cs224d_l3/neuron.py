r"""1.1 A neuron: n inputs, one output, a = f(w^T x + b). With the sigmoid it is binary logistic regression:

$$a = \frac{1}{1 + \exp(-(w^T x + b))}$$
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ._checks import check_callable, check_shapes
from ._function import Function, autocast, keep, rows
from .units import sigmoid


def activation(x: Tensor, w: Tensor, b: Tensor, f: Callable[[Tensor], Tensor] = sigmoid) -> Tensor:
    """a = f(w^T x + b), with the sigmoid a = 1 / (1 + exp(-(w^T x + b))).

    Args:
        x: inputs, (..., n).
        w: weights, (n,).
        b: bias, ().
        f: the unit.

    Returns:
        a, (...).

    Raises:
        ValueError: the shapes do not fit.
        TypeError: an argument is not a floating-point tensor, or f is not a function.
    """
    check_shapes("... n, n, ", x=x, w=w, b=b)
    check_callable("f", f)
    return f(_Dot.call(*autocast(x, w, b)))


def augmented_activation(x: Tensor, wb: Tensor, f: Callable[[Tensor], Tensor] = sigmoid) -> Tensor:
    """a = f([w^T b] . [x 1]): the bias is one more weight, on an input that is always 1.

    Args:
        x: inputs, (..., n).
        wb: the weights and, last, the bias, (n + 1,).
        f: the unit.

    Returns:
        a, (...), equal to ``activation(x, wb[:-1], wb[-1], f)``.

    Raises:
        ValueError: the shapes do not fit.
        TypeError: an argument is not a floating-point tensor, or f is not a function.
    """
    check_shapes("... n, n+1", x=x, wb=wb)
    if len(wb) != x.shape[-1] + 1:
        raise ValueError(f"wb must have shape (n+1,) with n = {x.shape[-1]} from x, got {tuple(wb.shape)}")
    check_callable("f", f)
    x1 = torch.cat([x, x.new_ones(*x.shape[:-1], 1)], dim=-1)
    return f(_Dot.call(*autocast(x1, wb, None)))


class _Dot(Function):
    """z = w^T x + b."""

    @staticmethod
    def forward(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
        return x @ w if b is None else x @ w + b

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, z: Any) -> None:
        keep(ctx, *inputs[:2])

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        x_, w_, b_ = ctx.needs_input_grad
        return (
            delta[..., None] * w if x_ else None,
            delta.reshape(delta.numel()) @ rows(x) if w_ else None,
            delta.sum() if b_ else None,
        )

    @staticmethod
    def pushforward(ctx: Any, dx: Tensor, dw: Tensor, db: Tensor | None) -> Tensor:
        x, w = ctx.saved_tensors
        dz = dx @ w + x @ dw
        return dz if db is None else dz + db
