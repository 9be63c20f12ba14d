"""Long rows of numbers: in memory or on the disk, in order or shuffled."""

from itertools import chain
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cs224d_l3.text.arrays import ArrayBuilder, InOrder, Shuffled, around


@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 99))
def test_an_order_is_a_permutation_in_pieces(N: int, size: int, seed: int) -> None:
    """Small enough for one, or in pieces; the same however it is read."""
    for at_once in (16, 100):
        with (
            mock.patch("cs224d_l3.text.arrays.SHUFFLE_BUFFER", at_once),
            mock.patch("cs224d_l3.text.arrays.BLOCK", 4),
        ):
            orders = [Shuffled(N, size, torch.Generator().manual_seed(seed)) for _ in range(2)]
            forward = [orders[0][i].tolist() for i in range(len(orders[0]))]
            backward = [orders[1][i].tolist() for i in reversed(range(len(orders[1])))]
            assert forward == backward[::-1]
            assert sorted(chain.from_iterable(forward)) == list(range(N))
            assert all(len(batch) == size for batch in forward[:-1])
            with pytest.raises(IndexError):
                orders[0][len(orders[0])]


def test_an_order_in_pieces_is_well_mixed() -> None:
    N = 40_000
    with mock.patch("cs224d_l3.text.arrays.SHUFFLE_BUFFER", 4_000), mock.patch("cs224d_l3.text.arrays.BLOCK", 16):
        order = torch.cat(list(Shuffled(N, 50, torch.Generator().manual_seed(0)))).double()
    places = torch.arange(N).double()
    assert abs(torch.corrcoef(torch.stack([order, places]))[0, 1]) < 0.05
    assert (order.diff().abs() < 16).double().mean() < 0.01
    means = order.view(-1, 50).mean(1)  # of a batch: as those of independent draws
    assert means.std() == pytest.approx(N / 12**0.5 / 50**0.5, rel=0.15)


@given(st.lists(st.lists(st.integers(-100, 100), max_size=5), max_size=12), st.integers(0, 40))
def test_numbers_grow_in_memory_and_on_the_disk(pieces: list[list[int]], limit: int) -> None:
    with mock.patch("cs224d_l3.text.arrays.IN_MEMORY", limit), ArrayBuilder("h") as growing:
        for piece in pieces:
            growing.extend(piece)
        found = growing.tensor()
    assert found.dtype == torch.int16
    assert found.tolist() == list(chain.from_iterable(pieces))


def test_words_around_a_place() -> None:
    text = torch.tensor([5, 6, 7, 8], dtype=torch.int32)
    found = around(text, torch.tensor([0, 2, 3]), 2, 1)
    assert found.tolist() == [[0, 0, 5, 6], [5, 6, 7, 8], [6, 7, 8, 0]]
    assert found.dtype == torch.int64
    assert torch.cat(list(InOrder(7, 3))).tolist() == list(range(7))
