"""A network small enough to follow by hand: figures 5 to 8 with numbers."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from cs224d_l3 import (
    UNITS,
    Gradients,
    affine,
    elementwise_gradients,
    numerical_gradient,
    sigmoid,
    sigmoid_prime,
    vectorized_gradients,
)


class Worked(NamedTuple):
    """A network, what its forward pass computes, and the gradients of its output s by 1.6.

    Lists start at 0: W[0] is W^(1), z[0] is z^(1) = x.
    """

    unit: str
    W: list[Tensor]
    b: list[Tensor]
    z: list[Tensor]
    a: list[Tensor]
    gradients: Gradients

    @property
    def s(self) -> float:
        return float(self.a[-1].sum())


def worked(sizes: Sequence[int] = (4, 2, 1), unit: str = "sigmoid", seed: int = 5) -> Worked:
    """A network of these sizes; x and W have one decimal, and the last layer has no bias, as in s = U^T f(Wx + b)."""
    generator = torch.Generator().manual_seed(seed)

    def tenths(*shape: int) -> Tensor:
        numbers = torch.randint(1, 13, shape, generator=generator, dtype=torch.int64).double() / 10
        return numbers * (2.0 * torch.randint(2, shape, generator=generator) - 1)

    x = tenths(sizes[0])
    W = [tenths(m, n) for n, m in zip(sizes, sizes[1:], strict=False)]
    b = [*(tenths(m) for m in sizes[1:-1]), torch.zeros(sizes[-1], dtype=torch.float64)]
    return passes(x, W, b, unit)


def passes(x: Tensor, W: list[Tensor], b: list[Tensor], unit: str) -> Worked:
    """Forward and backward pass of a network."""
    f, f_prime = UNITS[unit].f, UNITS[unit].f_prime
    z, a = [x], [x]
    for k, (W_k, b_k) in enumerate(zip(W, b, strict=True), start=1):
        z.append(affine(a[-1], W_k, b_k))
        a.append(f(z[-1]) if k < len(W) else z[-1])
    return Worked(unit, W, b, z, a, vectorized_gradients(x, W, b, f, f_prime))


def by_differences(network: Worked, theta: Sequence[Tensor], k: int) -> Tensor:
    """ds/dW^(k+1) or ds/db^(k+1) by centred differences; theta is the network's list W or b."""

    def s(changed: Tensor) -> Tensor:
        W, b = ([changed if t is theta[k] else t for t in ts] for ts in (network.W, network.b))
        return passes(network.z[0], W, b, network.unit).a[-1].sum()

    return numerical_gradient(s, theta[k])


# ------------------------------------------------------------------------------ elements against matrices


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class Race(NamedTuple):
    """Seconds of the gradients by elements and by matrices, and the largest difference between their numbers."""

    elements: float
    matrices: float
    difference: float


def race(sizes: Sequence[int], seed: int, repeats: int = 5) -> Race:
    """1.5 against 1.6 on a random network, the best of some repeats each."""
    generator = torch.Generator().manual_seed(seed)
    W = [torch.randn(m, n, generator=generator) for n, m in zip(sizes, sizes[1:], strict=False)]
    b = [torch.zeros(len(w)) for w in W]
    x = torch.randn(sizes[0], generator=generator)
    runs = [partial(way, x, W, b, sigmoid, sigmoid_prime) for way in (elementwise_gradients, vectorized_gradients)]
    elements, matrices = (min(seconds(run) for _ in range(repeats)) for run in runs)
    ours, theirs = (torch.cat([t.flatten() for part in run() for t in part]) for run in runs)
    return Race(elements, matrices, float((ours - theirs).abs().max()))
