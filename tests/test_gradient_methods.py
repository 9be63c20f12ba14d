"""Five roads to one gradient, over random shapes, depths and units, in first and in second order."""

import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from cs224d_l3 import relative_error
from evidence.gradient_methods import (
    METHODS,
    METHODS_THROUGH_TIME,
    Network,
    Recurrent,
    by_autograd,
    by_differences,
    by_elements,
    by_functions,
    by_matrices,
    draw,
    draw_recurrent,
    off_kinks,
    off_kinks_in_time,
    through_time_by_differences,
)
from helpers import normal, seeds, sizes, unit_names

networks = st.builds(draw, st.lists(sizes, min_size=2, max_size=5), unit_names, seeds)
recurrent_layers = st.builds(draw_recurrent, sizes, sizes, st.integers(1, 4), unit_names, seeds)
small_networks = st.builds(draw, st.lists(st.integers(1, 3), min_size=3, max_size=4), unit_names, seeds)


@given(networks)
def test_gradient_methods_meet(network: Network) -> None:
    assume(off_kinks(network))
    reference = by_autograd(network)
    for road in (by_elements, by_matrices, by_functions):
        for a, c in zip(road(network), reference, strict=True):
            torch.testing.assert_close(a, c, rtol=1e-9, atol=1e-12)
    for a, c in zip(by_differences(network), reference, strict=True):
        assert relative_error(a, c) < 1e-6 or (a - c).abs().max() < 1e-8


@given(small_networks)
def test_gradient_methods_meet_in_second_order(network: Network) -> None:
    """The gradient of sum(v o gradient): every road's first order, differentiated once more."""
    assume(off_kinks(network))
    v = [normal(*theta.shape, seed=30 + i, grad=False) for i, theta in enumerate(network.thetas)]

    def projected(road: str, network: Network) -> Tensor:
        first = METHODS[road](network)
        return torch.stack([(g * v_i).sum() for g, v_i in zip(first, v, strict=True)]).sum()

    exact = [road for road in METHODS if METHODS[road] is not by_differences]
    second = {
        road: torch.autograd.grad(projected(road, network), network.thetas, materialize_grads=True) for road in exact
    }
    differences = by_differences(network, lambda n: projected("matrices (1.6)", n))
    for i, right in enumerate(second["torch's autograd"]):
        for road in exact:
            torch.testing.assert_close(second[road][i], right, rtol=1e-9, atol=1e-12)
        assert (differences[i] - right).abs().max() < 1e-6 * (1 + right.abs().max())


@given(recurrent_layers)
def test_gradient_methods_through_time_meet(layer: Recurrent) -> None:
    assume(off_kinks_in_time(layer))
    found = {road: walk(layer) for road, walk in METHODS_THROUGH_TIME.items()}
    for road, gradients in found.items():
        for a, c in zip(gradients, found["torch's autograd"], strict=True):
            if road == "centred differences (2.1)":
                assert (a - c).abs().max() < 1e-6 * (1 + c.abs().max())
            else:
                torch.testing.assert_close(a, c, rtol=1e-9, atol=1e-11)


@given(st.builds(draw_recurrent, st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), unit_names, seeds))
def test_gradient_methods_through_time_meet_in_second_order(layer: Recurrent) -> None:
    assume(off_kinks_in_time(layer))
    v = [normal(*theta.shape, seed=30 + i, grad=False) for i, theta in enumerate(layer.thetas)]

    def projected(road: str, layer: Recurrent) -> Tensor:
        first = METHODS_THROUGH_TIME[road](layer)
        return torch.stack([(g * v_i).sum() for g, v_i in zip(first, v, strict=True)]).sum()

    exact = [road for road, walk in METHODS_THROUGH_TIME.items() if walk is not through_time_by_differences]
    second = {road: torch.autograd.grad(projected(road, layer), layer.thetas, materialize_grads=True) for road in exact}
    differences = through_time_by_differences(layer, lambda other: projected("matrices (1.6)", other))
    for i, right in enumerate(second["torch's autograd"]):
        for road in exact:
            torch.testing.assert_close(second[road][i], right, rtol=1e-9, atol=1e-10)
        assert (differences[i] - right).abs().max() < 1e-5 * (1 + right.abs().max())
