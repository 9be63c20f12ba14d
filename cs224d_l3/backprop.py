r"""1.5 and 1.6 Backpropagation, twice: element by element in the notes' indices, and by matrices.

The network has layers 1 to K + 1. Layer 1 is the input, $a^{(1)} = z^{(1)} = x$; then

$$z^{(k+1)} = W^{(k)} a^{(k)} + b^{(k)}, \qquad a^{(k+1)} = f(z^{(k+1)}),$$

and the last layer is linear, $a^{(K+1)} = z^{(K+1)}$: in figure 5 it is the score s, with $W^{(1)} = W$ and
$W^{(2)} = U$. $\delta^{(k)}$ is the error at $z^{(k)}$, $\partial J / \partial z^{(k)}$, propagated back by

$$\delta_j^{(k)} = f'(z_j^{(k)}) \sum_i \delta_i^{(k+1)} W_{ij}^{(k)}, \qquad
\delta^{(k)} = f'(z^{(k)}) \circ (W^{(k)T} \delta^{(k+1)}).$$

Lists start at 0 in Python: ``W[0]`` is $W^{(1)}$, ``delta[0]`` is $\delta^{(1)}$.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ._checks import check_callable, check_shapes

Elementwise = Callable[[Tensor], Tensor]


class Gradients(NamedTuple):
    r"""The output $a^{(K+1)}$, and the gradients by $W^{(k)}$, $b^{(k)}$ and $z^{(k)}$, which is $\delta^{(k)}$.

    ``delta[0]`` is $\partial J / \partial x$, as $z^{(1)} = x$; ``delta[k]`` belongs to the layer that $W^{(k)}$ feeds.
    """

    output: Tensor
    W: list[Tensor]
    b: list[Tensor]
    delta: list[Tensor]


def elementwise_gradients(
    x: Tensor,
    W: Sequence[Tensor],
    b: Sequence[Tensor],
    f: Elementwise,
    f_prime: Elementwise,
    delta: Tensor | None = None,
) -> Gradients:
    r"""1.5 The gradients one number at a time, in loops over the notes' i and j.

    $$\frac{\partial J}{\partial W_{ij}^{(k)}} = \delta_i^{(k+1)} a_j^{(k)}, \qquad
    \frac{\partial J}{\partial b_i^{(k)}} = \delta_i^{(k+1)},$$

    $$\delta_j^{(k)} = f'(z_j^{(k)}) \sum_i \delta_i^{(k+1)} W_{ij}^{(k)}, \qquad
    \delta_j^{(1)} = \sum_i \delta_i^{(2)} W_{ij}^{(1)}$$

    Args:
        x: one input, (n,).
        W: the matrices $W^{(1)}$ to $W^{(K)}$, each (neurons of layer k+1, neurons of layer k).
        b: the biases $b^{(1)}$ to $b^{(K)}$, one per neuron of layer k+1.
        f: the activation function of the hidden layers.
        f_prime: its derivative.
        delta: the error at the output, $\delta^{(K+1)}$, one per output; ones by default, for the output's gradient.

    Raises:
        ValueError: no layer, or shapes that do not match.
        TypeError: an f or f_prime that is not callable.
    """
    delta = _check_network(x, W, b, f, f_prime, delta)
    K = len(W)

    z, a = [list(x)], [list(x)]
    for k in range(K):
        z.append([])
        for i in range(len(b[k])):
            z_i = b[k][i]
            for j in range(len(a[k])):
                z_i = z_i + W[k][i, j] * a[k][j]
            z[k + 1].append(z_i)
        a.append([f(z_i) if k + 1 < K else z_i for z_i in z[k + 1]])

    deltas = [list(delta)]
    grad_W: list[list[list[Tensor]]] = []
    grad_b: list[list[Tensor]] = []
    for k in reversed(range(K)):
        above = deltas[0]  # delta^(k+1)
        grad_W.insert(0, [[above[i] * a[k][j] for j in range(len(a[k]))] for i in range(len(above))])
        grad_b.insert(0, list(above))
        below = []
        for j in range(len(a[k])):
            grad_a_j = x.new_zeros(())
            for i in range(len(above)):
                grad_a_j = grad_a_j + above[i] * W[k][i, j]
            below.append(f_prime(z[k][j]) * grad_a_j if k > 0 else grad_a_j)
        deltas.insert(0, below)

    return Gradients(
        output=torch.stack(a[K]),
        W=[torch.stack([torch.stack(row) for row in rows]) for rows in grad_W],
        b=[torch.stack(elements) for elements in grad_b],
        delta=[torch.stack(elements) for elements in deltas],
    )


def vectorized_gradients(
    x: Tensor,
    W: Sequence[Tensor],
    b: Sequence[Tensor],
    f: Elementwise,
    f_prime: Elementwise,
    delta: Tensor | None = None,
) -> Gradients:
    r"""1.6 The same gradients by matrices; each delta is computed once and passed down.

    $$\nabla_{W^{(k)}} = \delta^{(k+1)} a^{(k)T}, \qquad \delta^{(k)} = f'(z^{(k)}) \circ (W^{(k)T} \delta^{(k+1)})$$

    Arguments, result and errors are those of :func:`elementwise_gradients`.
    """
    delta = _check_network(x, W, b, f, f_prime, delta)
    K = len(W)

    z, a = [x], [x]
    for k in range(K):
        z.append(W[k] @ a[k] + b[k])
        a.append(f(z[k + 1]) if k + 1 < K else z[k + 1])

    deltas = [delta]
    grad_W: list[Tensor] = []
    for k in reversed(range(K)):
        grad_W.insert(0, torch.outer(deltas[0], a[k]))
        grad_a = W[k].mT @ deltas[0]
        deltas.insert(0, f_prime(z[k]) * grad_a if k > 0 else grad_a)

    return Gradients(output=a[K], W=grad_W, b=deltas[1:], delta=deltas)


def _check_network(
    x: Tensor, W: Sequence[Tensor], b: Sequence[Tensor], f: Elementwise, f_prime: Elementwise, delta: Tensor | None
) -> Tensor:
    """Check the arguments, layer by layer; returns delta, or its default."""
    check_callable("f", f)
    check_callable("f_prime", f_prime)
    if len(W) == 0 or len(W) != len(b):
        raise ValueError(
            f"W and b must hold one matrix and one bias per layer, at least one, got {len(W)} and {len(b)}"
        )
    check_shapes("n", x=x)
    n = x.shape[0]
    for k, (W_k, b_k) in enumerate(zip(W, b, strict=True)):
        check_shapes("m n, m", **{f"W[{k}]": W_k, f"b[{k}]": b_k})
        if W_k.shape[1] != n or 0 in W_k.shape:
            raise ValueError(
                f"W[{k}] must have at least 1 row and {n} columns, the neurons of layer {k + 1}, got {tuple(W_k.shape)}"
            )
        n = W_k.shape[0]
    delta = x.new_ones(n) if delta is None else delta
    if delta.shape != (n,):
        raise ValueError(f"delta must have shape ({n},), one error per output, got {tuple(delta.shape)}")
    return delta
