r"""1.1 A neuron: n inputs, one output, $a = f(w^T x + b)$. With the sigmoid, binary logistic regression:

$$a = \frac{1}{1 + \exp(-(w^T x + b))}$$
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ._checks import check_callable, check_shapes
from ._function import Function, autocast, rows, save_tensors
from .units import sigmoid


def activation(x: Tensor, w: Tensor, b: Tensor, f: Callable[[Tensor], Tensor] = sigmoid) -> Tensor:
    r"""$a = f(w^T x + b)$, with the sigmoid $a = 1 / (1 + \exp(-(w^T x + b)))$.

    Args:
        x: inputs, (..., n).
        w: weights, (n,).
        b: bias, ().
        f: the activation function.

    Returns:
        a, (...).

    Raises:
        ValueError: shapes that do not match.
        TypeError: an argument that is not a floating-point tensor, or an f that is not callable.
    """
    check_shapes("... n, n, ", x=x, w=w, b=b)
    check_callable("f", f)
    return f(_Dot.call(*autocast(x, w, b)))


def augmented_activation(x: Tensor, wb: Tensor, f: Callable[[Tensor], Tensor] = sigmoid) -> Tensor:
    r"""$a = f([w^T \; b] \cdot [x \; 1])$: the bias as one more weight, of a constant input 1.

    Args:
        x: inputs, (..., n).
        wb: the weights followed by the bias, (n + 1,).
        f: the activation function.

    Returns:
        a, (...), equal to ``activation(x, wb[:-1], wb[-1], f)``.

    Raises:
        ValueError: shapes that do not match.
        TypeError: an argument that is not a floating-point tensor, or an f that is not callable.
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
        save_tensors(ctx, *inputs[:2])

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        needs_x, needs_w, needs_b = ctx.needs_input_grad
        return (
            delta[..., None] * w if needs_x else None,
            delta.reshape(delta.numel()) @ rows(x) if needs_w else None,
            delta.sum() if needs_b else None,
        )

    @staticmethod
    def pushforward(ctx: Any, dx: Tensor, dw: Tensor, db: Tensor | None) -> Tensor:
        x, w = ctx.saved_tensors
        dz = dx @ w + x @ dw
        return dz if db is None else dz + db
