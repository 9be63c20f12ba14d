"""1.3 Windows, true and corrupt."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cs224d_l3 import corrupt, sliding_windows
from helpers import seeds

SENTENCE = "Museums in Paris are amazing".split()


def test_the_notes_sentence_is_the_window_around_paris() -> None:
    windows = sliding_windows(torch.arange(5), size=5, pad=9)
    assert windows.tolist() == [
        [9, 9, 0, 1, 2],
        [9, 0, 1, 2, 3],
        [0, 1, 2, 3, 4],
        [1, 2, 3, 4, 9],
        [2, 3, 4, 9, 9],
    ]
    assert [SENTENCE[i] for i in windows[SENTENCE.index("Paris")]] == SENTENCE


@given(words=st.lists(st.integers(0, 50), max_size=12), half=st.integers(0, 4))
def test_centres_are_the_words(words: list[int], half: int) -> None:
    windows = sliding_windows(torch.tensor(words, dtype=torch.int64), 2 * half + 1, pad=51)
    assert windows.shape == (len(words), 2 * half + 1)
    assert windows[:, half].tolist() == words


@given(seed=seeds, num_words=st.integers(2, 6), batch=st.integers(0, 20))
def test_corruption_replaces_the_centre_alone(seed: int, num_words: int, batch: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    windows = torch.randint(num_words, (batch, 5), generator=generator)
    before = windows.clone()
    corrupted = corrupt(windows, num_words, generator)
    assert torch.equal(windows, before)
    assert torch.equal(corrupted[:, [0, 1, 3, 4]], windows[:, [0, 1, 3, 4]])
    assert (corrupted[:, 2] != windows[:, 2]).all()
    assert ((corrupted >= 0) & (corrupted < num_words)).all()


def test_corruption_draws_every_other_word_as_often(generator: torch.Generator) -> None:
    centres = corrupt(torch.full((30_000, 1), 2), 4, generator).flatten()
    counts = torch.bincount(centres, minlength=4)
    assert counts[2] == 0
    assert ((counts[[0, 1, 3]] - 10_000).abs() < 5 * 82).all()  # five standard deviations


def test_windows_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"size.*odd.*\b4\b"):
        sliding_windows(torch.arange(5), 4, pad=0)
    with pytest.raises(ValueError, match=r"words.*\(1, 5\)"):
        sliding_windows(torch.arange(5)[None], 5, pad=0)
    with pytest.raises(TypeError, match=r"words.*torch\.float32"):
        sliding_windows(torch.zeros(5), 5, pad=0)
    with pytest.raises(ValueError, match=r"num_words.*\b1\b"):
        corrupt(torch.zeros(2, 5, dtype=torch.int64), 1)
    with pytest.raises(ValueError, match=r"windows.*odd.*\b4\b"):
        corrupt(torch.zeros(2, 4, dtype=torch.int64), 3)
    with pytest.raises(IndexError, match=r"windows.*\b3\b"):
        corrupt(torch.full((1, 5), 3), 3)


def test_windows_are_memory_of_their_own() -> None:
    windows = sliding_windows(torch.arange(5), 3, pad=0)
    windows[0, 2] = 9
    assert windows[1].tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match=r"\bpad\b.*1\.5"):
        sliding_windows(torch.arange(5), 3, pad=1.5)


def test_corruption_reaches_every_other_word_of_a_larger_vocabulary(generator: torch.Generator) -> None:
    centres = corrupt(torch.full((4_000, 1), 3), 9, generator).flatten()
    assert set(centres.tolist()) == set(range(9)) - {3}
