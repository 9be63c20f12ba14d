"""Five roads to one gradient: elements, matrices, our Functions, torch's autograd, centred differences."""

from collections.abc import Callable, Sequence

import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import TORCH_UNITS, normal, seeds, sizes, unit_names
from torch import Tensor

from cs224d_l3 import (
    UNITS,
    affine,
    elementwise_gradients,
    numerical_gradient,
    relative_error,
    vectorized_gradients,
)

networks = st.lists(sizes, min_size=2, max_size=5)
Network = Callable[[Tensor, Sequence[Tensor], Sequence[Tensor]], Tensor]


def network(affine: Callable[..., Tensor], f: Callable[[Tensor], Tensor]) -> Network:
    def output(x: Tensor, W: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        for W_k, b_k in zip(W[:-1], b[:-1], strict=True):
            x = f(affine(x, W_k, b_k))
        return affine(x, W[-1], b[-1])

    return output


def draw(layers: list[int], name: str, seed: int) -> tuple[Tensor, list[Tensor], list[Tensor], Tensor]:
    """x, W, b and the error at the output; away from the kinks, where a difference has no meaning."""
    x = normal(layers[0], seed=seed)
    W = [normal(m, n, seed=seed + k + 1) for k, (n, m) in enumerate(zip(layers, layers[1:], strict=False))]
    b = [normal(m, seed=seed + 10 + k) for k, m in enumerate(layers[1:])]
    a = x
    for W_k, b_k in zip(W[:-1], b[:-1], strict=True):
        z = W_k @ a + b_k
        assume(((z.abs() - torch.tensor([[0.0], [1.0]])).abs() > 1e-3).all())
        a = UNITS[name].f(z)
    return x, W, b, normal(layers[-1], seed=seed + 20, grad=False)


def by_autograd(output: Network, x: Tensor, W: list[Tensor], b: list[Tensor], delta: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(output(x, W, b) @ delta, [*W, *b, x], create_graph=True, materialize_grads=True))


def by_hand(
    backprop: Callable[..., object], name: str, x: Tensor, W: list[Tensor], b: list[Tensor], delta: Tensor
) -> list[Tensor]:
    found = backprop(x, W, b, UNITS[name].f, UNITS[name].f_prime, delta)
    return [*found.W, *found.b, found.delta[0]]  # type: ignore[attr-defined]


def by_differences(J: Callable[..., Tensor], thetas: list[Tensor]) -> list[Tensor]:
    return [
        numerical_gradient(lambda t, k=k: J(*thetas[:k], t, *thetas[k + 1 :]), theta.detach())  # type: ignore[misc]
        for k, theta in enumerate(thetas)
    ]


@given(layers=networks, name=unit_names, seed=seeds)
def test_five_roads_meet(layers: list[int], name: str, seed: int) -> None:
    x, W, b, delta = draw(layers, name, seed)
    K = len(W)
    functions = network(affine, UNITS[name].f)
    torchs = network(torch.nn.functional.linear, TORCH_UNITS[name])

    def J(*thetas: Tensor) -> Tensor:
        return functions(thetas[-1], thetas[:K], thetas[K:-1]) @ delta

    reference = by_autograd(torchs, x, W, b, delta)
    for exact in (
        by_hand(elementwise_gradients, name, x, W, b, delta),
        by_hand(vectorized_gradients, name, x, W, b, delta),
        by_autograd(functions, x, W, b, delta),
    ):
        for a, c in zip(exact, reference, strict=True):
            torch.testing.assert_close(a, c, rtol=1e-9, atol=1e-12)
    for a, c in zip(by_differences(J, [*W, *b, x]), reference, strict=True):
        assert relative_error(a, c) < 1e-6 or (a - c).abs().max() < 1e-8


@given(layers=st.lists(st.integers(1, 3), min_size=3, max_size=4), name=unit_names, seed=seeds)
def test_five_roads_meet_in_second_order(layers: list[int], name: str, seed: int) -> None:
    """The gradient of sum(v o gradient): every road's first order, differentiated once more."""
    x, W, b, delta = draw(layers, name, seed)
    K = len(W)
    torchs = network(torch.nn.functional.linear, TORCH_UNITS[name])
    roads = {
        "torch": lambda x, W, b: by_autograd(torchs, x, W, b, delta),
        "functions": lambda x, W, b: by_autograd(network(affine, UNITS[name].f), x, W, b, delta),
        "elements": lambda x, W, b: by_hand(elementwise_gradients, name, x, W, b, delta),
        "matrices": lambda x, W, b: by_hand(vectorized_gradients, name, x, W, b, delta),
    }
    thetas = [*W, *b, x]
    v = [normal(*theta.shape, seed=seed + 30 + i, grad=False) for i, theta in enumerate(thetas)]

    def projected(road: str, *thetas: Tensor) -> Tensor:
        first = roads[road](thetas[-1], list(thetas[:K]), list(thetas[K:-1]))
        return torch.stack([(g * v_i).sum() for g, v_i in zip(first, v, strict=True)]).sum()

    second = {road: torch.autograd.grad(projected(road, *thetas), thetas, materialize_grads=True) for road in roads}
    differences = by_differences(lambda *t: projected("matrices", *t), thetas)
    for i in range(len(thetas)):
        for road in ("functions", "elements", "matrices"):
            torch.testing.assert_close(second[road][i], second["torch"][i], rtol=1e-9, atol=1e-12)
        error = (differences[i] - second["torch"][i]).abs().max()
        assert error < 1e-6 * (1 + second["torch"][i].abs().max())
