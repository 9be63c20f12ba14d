"""Features of a word beside itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs224d_l3.text.corpora import capitalisation
from cs224d_l3.text.features import Capitals, Suffixes

WORDS = "Running running SINGING sang gang of Of xyz".split()


def test_suffixes_are_the_last_letters_of_what_was_seen_often_enough() -> None:
    suffixes = Suffixes(WORDS, length=3, min_count=2)
    assert suffixes.words == ["<pad>", "<unk>", "ing", "ang", "of"]
    assert suffixes.encode(["bring", "HANG", "of", "oF", "roof", "g", "xyz", ""]).tolist() == [2, 3, 4, 4, 1, 1, 1, 1]


@given(st.lists(st.text(max_size=5)), st.integers(1, 4))
def test_suffixes_are_made_again_from_those_that_were_kept(words: list[str], length: int) -> None:
    suffixes = Suffixes(words, length)
    again = Suffixes(suffixes.words[2:], length)
    assert again.words == suffixes.words
    assert again.encode(words).tolist() == suffixes.encode(words).tolist()


def test_capitals_are_the_capitalisation_of_each_word() -> None:
    capitals = Capitals()
    assert capitals.encode(WORDS).tolist() == [capitalisation(word) for word in WORDS]
    assert capitals.encode(["", "7"]).tolist() == [capitals.pad] * 2
    assert len(capitals) == 5


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"length.*\b0\b"):
        Suffixes(WORDS, 0)
    with pytest.raises(ValueError, match=r"min_count.*\b0\b"):
        Suffixes(WORDS, 2, 0)
