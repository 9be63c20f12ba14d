"""Dropout from random bits: its share, its scale, its independence, and its gradient."""

import math

import pytest
import torch
from torch import Tensor

from cs224d_l3 import dropout
from cs224d_l3.gradient_check import check_function
from helpers import normal


def masks(shape: tuple[int, ...], p: float, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    torch.manual_seed(seed)
    return dropout(torch.ones(shape, dtype=dtype), p)


@pytest.mark.parametrize("p", [1 / 65536, 0.1, 0.25, 0.5, 0.75, 0.9, 65535 / 65536])
def test_share_and_scale(p: float) -> None:
    """Within five standard deviations of a binomial; p is a multiple of 1 / 65536, to half of one."""
    n = 1_000_003
    m = masks((n,), p)
    exact = round(p * 65536) / 65536
    dropped = int((m == 0).sum())
    assert abs(dropped - n * exact) <= 5 * math.sqrt(n * exact * (1 - exact)) + 1
    assert m[m != 0].unique().tolist() == pytest.approx([1 / (1 - exact)])


def test_a_share_close_to_one_leaves_something_finite() -> None:
    m = masks((200_000,), 1 - 1e-9)
    assert m.isfinite().all()
    assert set(m.unique().tolist()) <= {0.0, 65536.0}


def test_elements_are_independent_of_their_neighbours() -> None:
    """Pairs at any distance up to a word and a half, so that all four parts of a word and its neighbour's meet."""
    m = (masks((400_000,), 0.5) != 0).double() - 0.5
    for distance in range(1, 7):
        for part in range(4):
            a, b = m[part::4], m[part + distance :: 4]
            n = min(len(a), len(b))
            correlation = 4 * float((a[:n] * b[:n]).mean())
            assert abs(correlation) < 5 / math.sqrt(n), (distance, part)


def test_every_part_of_a_word_is_random_in_all_its_bits() -> None:
    """At each share that a single bit decides, in each of the four places of a word."""
    for bit in range(16):
        p = 2.0 ** -(bit + 1)
        m = masks((400_000,), p, seed=bit)
        for part in range(4):
            dropped = float((m[part::4] == 0).double().mean())
            assert abs(dropped - p) < 5 * math.sqrt(p / 100_000) + 1e-9, (bit, part)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (5, 7), (2, 0, 3)])
def test_any_shape_and_dtype(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    m = masks(shape, 0.5, dtype=dtype)
    assert m.shape == shape
    assert m.dtype == dtype
    assert set(m.flatten().tolist()) <= {0.0, 2.0}


def test_the_generator_decides() -> None:
    assert torch.equal(masks((100,), 0.5), masks((100,), 0.5))
    assert not torch.equal(masks((100,), 0.5), masks((100,), 0.5, seed=1))
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = dropout(torch.ones(50), 0.3)
    second = dropout(torch.ones(50), 0.3)
    assert not torch.equal(first, second)
    torch.set_rng_state(state)
    assert torch.equal(dropout(torch.ones(50), 0.3), first)


def test_nothing_is_dropped_without_training_or_share() -> None:
    x = normal(4, 3)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0) is x


def test_the_contract_holds() -> None:
    others = ["forward_mode", "batching", "batched_incoming_gradients"]  # these draw torch's numbers
    report = check_function(_seeded, calls=[(normal(3, 4),)], skip=others)
    assert report.runs["gradients"] == report.runs["second_order"] == 1


def _seeded(x: Tensor) -> Tensor:
    torch.manual_seed(1)
    return dropout(x, 0.4)


def test_the_gradient_is_the_mask() -> None:
    x = normal(200)
    torch.manual_seed(0)
    (g,) = torch.autograd.grad(dropout(x, 0.4).sum(), x)
    assert torch.equal(g, masks((200,), 0.4, dtype=torch.float64))


@pytest.mark.parametrize("p", [-0.1, 1.0, 2.0, math.nan])
def test_dropout_names_what_is_wrong(p: float) -> None:
    with pytest.raises(ValueError, match=rf"\bp\b.*{p}"):
        dropout(torch.ones(2), p)
    with pytest.raises(TypeError, match=r"\bx\b.*int64"):
        dropout(torch.ones(2, dtype=torch.int64))
