"""2.4 Xavier initialisation, against torch's and against its claim."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cs224d_l3 import Layer, WindowScorer, affine, init_xavier, tanh, xavier_uniform_
from helpers import normal, seeds


@given(shape=st.lists(st.integers(1, 6), min_size=2, max_size=4), gain=st.floats(0.1, 3), seed=seeds)
def test_numbers_are_torchs(shape: list[int], gain: float, seed: int) -> None:
    ours, torchs = torch.empty(shape), torch.empty(shape)
    assert xavier_uniform_(ours, gain, torch.Generator().manual_seed(seed)) is ours
    nn.init.xavier_uniform_(torchs, gain, torch.Generator().manual_seed(seed))
    torch.testing.assert_close(ours, torchs)


def test_bounds_are_the_formula(generator: torch.Generator) -> None:
    W = xavier_uniform_(torch.empty(300, 200), generator=generator)
    r = math.sqrt(6 / 500)
    assert 0.999 * r < W.max() <= r
    assert -r <= W.min() < -0.999 * r


def variances(init, depth: int = 10, n: int = 400) -> tuple[Tensor, Tensor]:
    """Of the activations of ten tanh layers, and of the gradients at their z, from one batch."""
    generator = torch.Generator().manual_seed(0)
    a = 0.1 * normal(500, n)
    activations, zs = [], []
    for _ in range(depth):
        z = affine(a, init(torch.empty(n, n, dtype=torch.float64), generator))
        z.retain_grad()
        a = tanh(z)
        zs.append(z)
        activations.append(a.detach().var())
    (a * normal(*a.shape, seed=5, grad=False)).sum().backward()
    return torch.stack(activations), torch.stack([z.grad.var() for z in zs])


def test_variances_stay_within_a_factor_of_two_over_ten_layers() -> None:
    def by_xavier(W: Tensor, generator: torch.Generator) -> Tensor:
        return xavier_uniform_(W, generator=generator)

    def by_root_of_n(W: Tensor, generator: torch.Generator) -> Tensor:
        return W.uniform_(-1 / math.sqrt(W.shape[1]), 1 / math.sqrt(W.shape[1]), generator=generator)

    for signal in variances(by_xavier):
        assert signal.max() < 2 * signal.min()
    for signal in variances(by_root_of_n):
        assert signal.max() > 100 * signal.min()


def test_init_says_what_it_did_and_leaves_embeddings_alone() -> None:
    scorer = WindowScorer(5)
    nn.init.ones_(scorer.hidden.b)
    before = scorer.input.L.weight.clone()
    assert init_xavier(scorer) == {"U": "xavier", "input.L.weight": "kept", "hidden.W": "xavier", "hidden.b": "zero"}
    assert torch.equal(scorer.input.L.weight, before)
    assert not scorer.hidden.b.any()


def test_init_of_somebody_elses_module(generator: torch.Generator) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), nn.MultiheadAttention(4, 2))
    done = init_xavier(net, generator=generator)
    assert done["0.weight"] == "xavier"
    assert done["1.weight"] == "kept"
    assert done["2.in_proj_bias"] == done["1.bias"] == "zero"
    assert (net[1].weight == 1).all()
    assert done.keys() == dict(net.named_parameters()).keys()


def test_init_is_repeatable_by_generator() -> None:
    a, b = Layer(3, 4), Layer(3, 4)
    init_xavier(a, generator=torch.Generator().manual_seed(1))
    init_xavier(b, generator=torch.Generator().manual_seed(1))
    assert torch.equal(a.W, b.W)


def test_nothing_is_recorded_for_autograd() -> None:
    W = copy.deepcopy(Layer(2, 2).W)
    assert xavier_uniform_(W).grad_fn is None


def test_xavier_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"tensor.*\(3,\)"):
        xavier_uniform_(torch.empty(3))
    with pytest.raises(ValueError, match="gain.*inf"):
        xavier_uniform_(torch.empty(3, 3), gain=math.inf)
    with pytest.raises(TypeError, match=r"tensor.*torch\.int64"):
        xavier_uniform_(torch.zeros(3, 3, dtype=torch.int64))
