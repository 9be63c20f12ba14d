r"""Backpropagation through time, twice: element by element in the notes' indices, and by matrices.

The recurrent layer with inputs $x_1 \ldots x_T$ and initial state $a_0$:

$$z_t = W x_t + H a_{t-1} + b, \qquad a_t = f(z_t)$$

Unrolled it is a network of T layers that share W, H and b, with an objective J of all $a_t$. $\delta_t$ is the error at
$z_t$, $\partial J / \partial z_t$: the gradient of $a_t$, from J directly and from step t + 1, times $f'(z_t)$. The
gradient of a shared weight is the sum over t.

$$\delta_t = f'(z_t) \circ \left(\frac{\partial J}{\partial a_t} + H^T \delta_{t+1}\right), \qquad
\frac{\partial J}{\partial H} = \sum_t \delta_t a_{t-1}^T$$
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ._checks import check_callable, check_shapes

Elementwise = Callable[[Tensor], Tensor]


class RecurrentGradients(NamedTuple):
    r"""The states $a_1 \ldots a_T$, (T, m), and the gradients for x (T, n), W (m, n), H (m, m), b (m,), $a_0$ (m,)."""

    a: Tensor
    x: Tensor
    W: Tensor
    H: Tensor
    b: Tensor
    a_0: Tensor


def elementwise_gradients_through_time(
    x: Tensor,
    W: Tensor,
    H: Tensor,
    b: Tensor,
    a_0: Tensor,
    f: Elementwise,
    f_prime: Elementwise,
    grad_a: Tensor | None = None,
) -> RecurrentGradients:
    r"""The gradients one number at a time, in loops over t, i and j.

    $$\delta_{t,j} = f'(z_{t,j}) \left(\frac{\partial J}{\partial a_{t,j}} + \sum_i \delta_{t+1,i} H_{ij}\right)$$

    $$\frac{\partial J}{\partial W_{ij}} = \sum_t \delta_{t,i} x_{t,j}, \qquad
    \frac{\partial J}{\partial H_{ij}} = \sum_t \delta_{t,i} a_{t-1,j}, \qquad
    \frac{\partial J}{\partial b_i} = \sum_t \delta_{t,i}$$

    $$\frac{\partial J}{\partial x_{t,j}} = \sum_i \delta_{t,i} W_{ij}, \qquad
    \frac{\partial J}{\partial a_{0,j}} = \sum_i \delta_{1,i} H_{ij}$$

    Args:
        x: inputs, one row per step, (T, n), T and n at least 1.
        W: input weights, (m, n).
        H: recurrent weights, (m, m).
        b: biases, (m,).
        a_0: initial state, (m,).
        f: the activation function.
        f_prime: its derivative.
        grad_a: $\partial J / \partial a_t$ from J directly, without later steps, (T, m); ones by default.

    Raises:
        ValueError: shapes that do not match.
        TypeError: an f or f_prime that is not callable.
    """
    grad_a = _check_layer(x, W, H, b, a_0, f, f_prime, grad_a)
    (T, n), m = x.shape, len(b)

    z: list[list[Tensor]] = []
    a = [list(a_0)]
    for t in range(T):
        z.append([])
        for i in range(m):
            z_i = b[i]
            for j in range(n):
                z_i = z_i + W[i, j] * x[t, j]
            for j in range(m):
                z_i = z_i + H[i, j] * a[t][j]
            z[t].append(z_i)
        a.append([f(z_i) for z_i in z[t]])

    zero = x.new_zeros(())
    dx = [[zero] * n for _ in range(T)]
    dW = [[zero] * n for _ in range(m)]
    dH = [[zero] * m for _ in range(m)]
    db = [zero] * m
    back = [zero] * m  # sum_i delta_(t+1,i) H_ij
    for t in reversed(range(T)):
        delta = [f_prime(z[t][j]) * (grad_a[t, j] + back[j]) for j in range(m)]
        back = [zero] * m
        for i in range(m):
            for j in range(n):
                dW[i][j] = dW[i][j] + delta[i] * x[t, j]
                dx[t][j] = dx[t][j] + delta[i] * W[i, j]
            for j in range(m):
                dH[i][j] = dH[i][j] + delta[i] * a[t][j]  # a[t] is a_(t-1) of z[t]: the list starts with a_0
                back[j] = back[j] + delta[i] * H[i, j]
            db[i] = db[i] + delta[i]

    def matrix(rows: list[list[Tensor]]) -> Tensor:
        return torch.stack([torch.stack(row) for row in rows])

    return RecurrentGradients(matrix(a[1:]), matrix(dx), matrix(dW), matrix(dH), torch.stack(db), torch.stack(back))


def vectorized_gradients_through_time(
    x: Tensor,
    W: Tensor,
    H: Tensor,
    b: Tensor,
    a_0: Tensor,
    f: Elementwise,
    f_prime: Elementwise,
    grad_a: Tensor | None = None,
) -> RecurrentGradients:
    r"""The same gradients by matrices.

    $$\delta_t = f'(z_t) \circ \left(\frac{\partial J}{\partial a_t} + H^T \delta_{t+1}\right)$$

    $$\frac{\partial J}{\partial W} = \sum_t \delta_t x_t^T, \qquad
    \frac{\partial J}{\partial H} = \sum_t \delta_t a_{t-1}^T, \qquad
    \frac{\partial J}{\partial b} = \sum_t \delta_t, \qquad
    \frac{\partial J}{\partial x_t} = W^T \delta_t, \qquad
    \frac{\partial J}{\partial a_0} = H^T \delta_1$$

    Arguments, result and errors are those of :func:`elementwise_gradients_through_time`.
    """
    grad_a = _check_layer(x, W, H, b, a_0, f, f_prime, grad_a)

    z, a = [], [a_0]
    for x_t in x:
        z.append(W @ x_t + H @ a[-1] + b)
        a.append(f(z[-1]))

    delta: list[Tensor] = []
    back = torch.zeros_like(a_0)  # H^T delta_(t+1)
    for z_t, grad_a_t in zip(reversed(z), reversed(grad_a.unbind()), strict=True):
        delta.insert(0, f_prime(z_t) * (grad_a_t + back))
        back = H.mT @ delta[0]

    deltas, before = torch.stack(delta), torch.stack(a[:-1])
    return RecurrentGradients(
        a=torch.stack(a[1:]), x=deltas @ W, W=deltas.mT @ x, H=deltas.mT @ before, b=deltas.sum(0), a_0=back
    )


def _check_layer(
    x: Tensor,
    W: Tensor,
    H: Tensor,
    b: Tensor,
    a_0: Tensor,
    f: Elementwise,
    f_prime: Elementwise,
    grad_a: Tensor | None,
) -> Tensor:
    """Check the arguments; returns grad_a, or its default."""
    check_callable("f", f)
    check_callable("f_prime", f_prime)
    check_shapes("T n, m n, m m, m, m, T m", x=x, W=W, H=H, b=b, a_0=a_0, grad_a=grad_a)
    if 0 in x.shape or len(b) == 0:
        raise ValueError(
            f"x must hold at least one step, one input and one unit, got {tuple(x.shape)} and m = {len(b)}"
        )
    return x.new_ones(len(x), len(b)) if grad_a is None else grad_a
