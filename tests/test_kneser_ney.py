"""The baseline: it is a probability, and the textbook's formula."""

import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cs224d_l3.text.kneser_ney import log_probabilities

V = 5
texts = st.lists(st.integers(0, V - 1), min_size=2, max_size=40)


@given(texts, texts)
def test_the_probabilities_of_all_next_words_add_up_to_one(train: list[int], context: list[int]) -> None:
    total = 0.0
    for w in range(V):
        total += log_probabilities(torch.tensor(train), torch.tensor([*context, w]), V)[-1].exp().item()
    assert total == pytest.approx(1)


def by_counting(train: list[int], text: list[int]) -> list[float]:
    """The formula in dictionaries, as one would write it on paper."""
    padded = [0, 0, *train]
    trigrams = Counter(zip(padded, padded[1:], padded[2:], strict=False))
    bigrams = Counter((v, w) for _, v, w in trigrams)  # different words to the left
    unigrams = Counter(w for _, w in bigrams)

    def discount(counts: Counter) -> float:
        once, twice = (sum(c == k for c in counts.values()) for k in (1, 2))
        return once / (once + 2 * twice) if once else 0.5

    def mixed(counts: Counter, key, below: float) -> float:
        def context(k):
            return k[:-1] if isinstance(k, tuple) else ()

        same = {k: c for k, c in counts.items() if context(k) == context(key)}
        if not same:
            return below
        D = discount(counts)
        return (max(counts[key] - D, 0) + D * len(same) * below) / sum(same.values())

    found = []
    for u, v, w in zip([0, 0, *text], [0, *text], text, strict=False):
        p = mixed(unigrams, w, 1 / V)
        p = mixed(bigrams, (v, w), p)
        found.append(math.log(mixed(trigrams, (u, v, w), p)))
    return found


@given(texts, st.lists(st.integers(0, V - 1), min_size=1, max_size=10))
def test_it_is_the_formula(train: list[int], text: list[int]) -> None:
    found = log_probabilities(torch.tensor(train), torch.tensor(text), V)
    torch.testing.assert_close(found, torch.tensor(by_counting(train, text), dtype=torch.float64))


def test_a_repeated_text_is_expected() -> None:
    train = torch.tensor([1, 2, 3, 4] * 50)
    expected, unexpected = torch.tensor([1, 2, 3, 4]), torch.tensor([1, 3, 2, 4])
    assert log_probabilities(train, expected, V).mean() > log_probabilities(train, unexpected, V).mean() + 1
