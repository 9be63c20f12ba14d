"""Five methods for the same gradient: elements, matrices, our Functions, torch's autograd, centred differences.

First for the layers of a network, then for the steps of a recurrent layer.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cs224d_l3 import (
    UNITS,
    affine,
    elementwise_gradients,
    elementwise_gradients_through_time,
    elman,
    numerical_gradient,
    relative_error,
    vectorized_gradients,
    vectorized_gradients_through_time,
)

TORCH_UNITS: dict[str, Callable[..., Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "hardtanh": F.hardtanh,
    "softsign": F.softsign,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
}

Call = Callable[..., Tensor]
Output = Callable[[Tensor, Sequence[Tensor], Sequence[Tensor]], Tensor]


class Network(NamedTuple):
    """A network of any depth, its input x, and the gradient delta of J with respect to its output."""

    unit: str
    x: Tensor
    W: list[Tensor]
    b: list[Tensor]
    delta: Tensor

    @property
    def thetas(self) -> list[Tensor]:
        """Differentiable tensors: W, b, x."""
        return [*self.W, *self.b, self.x]

    def at(self, *thetas: Tensor) -> "Network":
        """Copy with other values of ``thetas``."""
        K = len(self.W)
        return self._replace(W=list(thetas[:K]), b=list(thetas[K:-1]), x=thetas[-1])


def draw(layers: Sequence[int], unit: str, seed: int) -> Network:
    """Network with standard normal values; ``layers`` are the layer sizes, the input's first."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    W = [normal(m, n).requires_grad_() for n, m in zip(layers, layers[1:], strict=False)]
    b = [normal(m).requires_grad_() for m in layers[1:]]
    return Network(unit, normal(layers[0]).requires_grad_(), W, b, normal(layers[-1]))


def off_kinks(network: Network, distance: float = 1e-3) -> bool:
    """Whether no |z| is near 0 or 1, the kinks of the units, where centred differences are invalid."""
    a = network.x
    for W, b in zip(network.W[:-1], network.b[:-1], strict=True):
        z = W @ a + b
        if ((z.abs() - torch.tensor([[0.0], [1.0]])).abs() <= distance).any():
            return False
        a = UNITS[network.unit].f(z)
    return True


def _output(affine: Callable[..., Tensor], f: Callable[[Tensor], Tensor], network: Network) -> Tensor:
    a = network.x
    for W, b in zip(network.W[:-1], network.b[:-1], strict=True):
        a = f(affine(a, W, b))
    return affine(a, network.W[-1], network.b[-1])


def by_elements(network: Network) -> list[Tensor]:
    found = elementwise_gradients(network.x, network.W, network.b, *UNITS[network.unit][:2], network.delta)
    return [*found.W, *found.b, found.delta[0]]


def by_matrices(network: Network) -> list[Tensor]:
    found = vectorized_gradients(network.x, network.W, network.b, *UNITS[network.unit][:2], network.delta)
    return [*found.W, *found.b, found.delta[0]]


def by_functions(network: Network) -> list[Tensor]:
    J = _output(affine, UNITS[network.unit].f, network) @ network.delta
    return list(torch.autograd.grad(J, network.thetas, create_graph=True, materialize_grads=True))


def by_autograd(network: Network) -> list[Tensor]:
    J = _output(F.linear, TORCH_UNITS[network.unit], network) @ network.delta
    return list(torch.autograd.grad(J, network.thetas, create_graph=True, materialize_grads=True))


def by_differences(network: Network, J: Callable[[Network], Tensor] | None = None) -> list[Tensor]:
    """Centred differences of delta^T output, or of another scalar J of the network."""

    def score(network: Network) -> Tensor:
        return _output(affine, UNITS[network.unit].f, network) @ network.delta

    return _differences(J or score, network)


def _differences(J: Callable[[Any], Tensor], network: Any) -> list[Tensor]:
    """Centred differences of J with respect to each theta."""
    thetas = list(network.thetas)

    def gradient(k: int) -> Tensor:
        return numerical_gradient(lambda theta: J(network.at(*thetas[:k], theta, *thetas[k + 1 :])), thetas[k].detach())

    return [gradient(k) for k in range(len(thetas))]


METHODS: dict[str, Callable[[Network], list[Tensor]]] = {
    "elements (1.5)": by_elements,
    "matrices (1.6)": by_matrices,
    "our Functions": by_functions,
    "torch's autograd": by_autograd,
    "centred differences (2.1)": by_differences,
}


def networks(count: int) -> Iterator[Network]:
    """Random networks of all units and of various sizes and depths, away from the kinks."""
    seed = 0
    for i in range(count):
        layers = [1 + (i + k) % 5 for k in range(3 + i % 3)]
        while not off_kinks(network := draw(layers, list(UNITS)[i % len(UNITS)], seed)):
            seed += 1
        seed += 1
        yield network


# ------------------------------------------------------------------------------------------ through time


Thetas = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class Recurrent(NamedTuple):
    """A recurrent layer: its tensors x, W, H, b, a_0, and the gradient of J with respect to its states."""

    unit: str
    thetas: Thetas
    error: Tensor

    def at(self, *thetas: Tensor) -> "Recurrent":
        x, W, H, b, a_0 = thetas
        return self._replace(thetas=(x, W, H, b, a_0))


def draw_recurrent(T: int, n: int, m: int, unit: str, seed: int) -> Recurrent:
    """Recurrent layer with standard normal values."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((T, m), (T, n), (m, n), (m, m), (m,), (m,))
    error, *thetas = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    x, W, H, b, a_0 = (theta.requires_grad_() for theta in thetas)
    return Recurrent(unit, (x, W, H, b, a_0), error)


def _states(linear: Call, f: Callable[[Tensor], Tensor], layer: Recurrent) -> Iterator[tuple[Tensor, Tensor]]:
    """(z_t, a_t) of every step."""
    x, W, H, b, a = layer.thetas
    for x_t in x:
        z = linear(x_t, W, b) + H @ a
        a = f(z)
        yield z, a


def off_kinks_in_time(layer: Recurrent, distance: float = 1e-3) -> bool:
    """Whether no |z_t| is near 0 or 1, the kinks of the units."""
    z = torch.stack([z for z, _ in _states(F.linear, UNITS[layer.unit].f, layer)])
    return not bool(((z.abs() - torch.tensor([[[0.0]], [[1.0]]])).abs() <= distance).any())


def through_time_by_elements(layer: Recurrent) -> list[Tensor]:
    f, f_prime, *_ = UNITS[layer.unit]
    return list(elementwise_gradients_through_time(*layer.thetas, f, f_prime, layer.error)[1:])


def through_time_by_matrices(layer: Recurrent) -> list[Tensor]:
    f, f_prime, *_ = UNITS[layer.unit]
    return list(vectorized_gradients_through_time(*layer.thetas, f, f_prime, layer.error)[1:])


def through_time_by_functions(layer: Recurrent) -> list[Tensor]:
    J = (elman(*layer.thetas, f=UNITS[layer.unit].f) * layer.error).sum()
    return list(torch.autograd.grad(J, layer.thetas, create_graph=True, materialize_grads=True))


def through_time_by_autograd(layer: Recurrent) -> list[Tensor]:
    a = torch.stack([a for _, a in _states(F.linear, TORCH_UNITS[layer.unit], layer)])
    return list(torch.autograd.grad((a * layer.error).sum(), layer.thetas, create_graph=True, materialize_grads=True))


def through_time_by_differences(layer: Recurrent, J: Callable[[Recurrent], Tensor] | None = None) -> list[Tensor]:
    """Centred differences of sum(error o a), or of another scalar J of the layer."""

    def weighted(layer: Recurrent) -> Tensor:
        return (elman(*layer.thetas, f=UNITS[layer.unit].f) * layer.error).sum()

    return _differences(J or weighted, layer)


METHODS_THROUGH_TIME: dict[str, Callable[[Recurrent], list[Tensor]]] = dict(
    zip(
        METHODS,
        (
            through_time_by_elements,
            through_time_by_matrices,
            through_time_by_functions,
            through_time_by_autograd,
            through_time_by_differences,
        ),
        strict=True,
    )
)


def recurrent_layers(count: int) -> Iterator[Recurrent]:
    """Random recurrent layers of all units and of various sizes and lengths, away from the kinks."""
    seed = 0
    for i in range(count):
        sizes = 1 + i % 6, 1 + i % 4, 1 + i % 5
        while not off_kinks_in_time(layer := draw_recurrent(*sizes, list(UNITS)[i % len(UNITS)], seed)):
            seed += 1
        seed += 1
        yield layer


def errors(methods: dict[str, Callable[[Any], list[Tensor]]], networks: Iterable[Any]) -> dict[str, float]:
    """Largest relative error of each method over some networks, with the median of the methods as the reference."""
    largest = dict.fromkeys(methods, 0.0)
    for network in networks:
        found = {name: method(network) for name, method in methods.items()}
        for gradients in zip(*found.values(), strict=True):
            median = torch.stack([g.detach() for g in gradients]).median(0).values
            for name, g in zip(found, gradients, strict=True):
                largest[name] = max(largest[name], relative_error(g.detach(), median))
    return largest
