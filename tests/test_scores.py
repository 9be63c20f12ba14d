"""Scores of tags: by entity, by word, by type; the threshold, the win rate and the baseline."""

import pytest
import torch

from cs224d_l3.text import Sentence
from training.scores import best_threshold, by_majority, entities, score_tags, tally, win_rate


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", []),
        ("O O", []),
        ("I-PER I-PER O I-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),  # IOB1
        ("B-PER I-PER O B-LOC", [(0, 2, "PER"), (3, 4, "LOC")]),  # IOB2
        ("I-PER B-PER I-PER", [(0, 1, "PER"), (1, 3, "PER")]),  # neighbours of one type
        ("B-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("I-PER I-LOC", [(0, 1, "PER"), (1, 2, "LOC")]),  # of two
        ("B-PER I-LOC I-PER", [(0, 1, "PER"), (1, 2, "LOC"), (2, 3, "PER")]),
        ("O I-A-B I-A-B B-A I-A-B", [(1, 3, "A-B"), (3, 4, "A"), (4, 5, "A-B")]),
    ],
)
def test_an_entity_is_what_conlleval_takes_for_one(tags: str, expected: list[tuple[int, int, str]]) -> None:
    assert sorted(entities(tags.split())) == expected


def test_entities_are_counted_as_conlleval_does() -> None:
    # three entities in gold; two found, of which the place is right
    score = score_tags(["O I-PER I-PER B-PER O I-LOC".split()], ["O I-PER I-PER I-PER O B-LOC".split()])
    assert score == pytest.approx((50, 100 / 3, 40))
    # the example that seqeval publishes: 0.50 each
    gold = ["O O O B-MISC I-MISC I-MISC O".split(), "B-PER I-PER O".split()]
    found = ["O O B-MISC I-MISC I-MISC I-MISC O".split(), "B-PER I-PER O".split()]
    assert score_tags(gold, found) == (50, 50, 50)
    assert score_tags(gold, gold) == (100, 100, 100)


def test_plain_tags_are_counted_by_word() -> None:
    assert score_tags([["X", "X", "O", "Y"]], [["X", "O", "Y", "X"]]) == pytest.approx((100 / 3, 100 / 3, 100 / 3))
    assert score_tags([["O"]], [["O"]]) == (0, 0, 0)


CONLLEVAL = ["O I-PER I-PER B-PER O I-LOC".split()], ["O I-PER I-PER I-PER O B-LOC".split()]


def test_scores_are_counted_by_type_as_conlleval_does() -> None:
    counts = tally(*CONLLEVAL)
    assert counts.unit == "entity"
    assert counts.of("LOC") == (100, 100, 100)
    assert counts.of("PER") == (0, 0, 0)
    assert counts.of("ORG") == (0, 0, 0)
    assert list(counts.table()) == [
        "6 words with 3 entities; found 2, 1 right; word accuracy 83.33",
        "        precision  recall     F1   gold  found  right",
        "LOC        100.00  100.00  100.00      1      1      1",
        "PER          0.00    0.00   0.00      2      1      0",
    ]
    assert str(counts) == "precision 50.00  recall 33.33  F1 40.00"
    numbers = counts.numbers("dev")
    assert (numbers["dev_f1"], numbers["dev_f1/LOC"], numbers["dev_recall/PER"]) == pytest.approx((40, 100, 0))


def test_every_number_has_its_own_name() -> None:
    words = tally([["X", "O", "X"]], [["X", "X", "O"]])
    assert (words.unit, str(words)) == ("word", "precision 50.00  recall 50.00  word F1 50.00")
    assert "dev_f1" not in words.numbers("dev")
    assert words.numbers("dev")["dev_word_f1"] == words.criterion == 50
    classes = tally([["X", "Y", "X"]], [["X", "X", "X"]])
    assert (classes.unit, str(classes)) == ("accuracy", "word accuracy 66.67")
    assert classes.criterion == classes.numbers("dev")["dev_accuracy"] == pytest.approx(200 / 3)
    assert not any(name in classes.numbers("dev") for name in ("dev_f1", "dev_word_f1"))
    assert classes.numbers("dev")["dev_word_recall/Y"] == 0
    # the same in every scheme
    iob1, iob2 = [["I-X", "O", "I-X"]], [["B-X", "O", "B-X"]]
    assert tally(iob1, iob2).accuracy == tally(iob2, iob1).accuracy == 100
    # a part of the data without entities is counted as the whole is
    assert tally([["O"]], [["O"]], ["O", "I-X"]).unit == "entity"


def test_win_rate_counts_all_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    s = torch.randint(6, (40,), generator=generator).double()
    entity = torch.rand(40, generator=generator) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in s[entity].tolist() for b in s[~entity].tolist()]
    assert win_rate(s, entity) == pytest.approx(100 * sum(pairs) / len(pairs))


def test_the_threshold_is_the_best_of_all() -> None:
    generator = torch.Generator().manual_seed(0)
    s, entity = torch.rand(30, generator=generator), torch.rand(30, generator=generator) < 0.3

    def f1(threshold: float) -> float:
        found = s > threshold
        return float(2 * (found & entity).sum() / (found.sum() + entity.sum()))

    assert f1(best_threshold(s, entity)) == max(f1(t) for t in [-1.0, *s.tolist()])
    s = torch.randint(4, (30,), generator=generator).float()  # ties
    assert f1(best_threshold(s, entity)) == max(f1(t) for t in [-1.0, *s.tolist()])
    entity[:] = True  # all of them
    assert f1(best_threshold(s, entity)) == 1


def test_majority_is_the_most_frequent_tag_of_a_word() -> None:
    majority = by_majority([Sentence(["a", "b", "a", "a"], ["X", "X", "O", "X"])])
    assert majority(Sentence(["a", "b", "new"], ["O", "O", "O"])) == ["X", "X", "O"]
    without_o = by_majority([Sentence(["a", "b", "c"], ["X", "Y", "Y"])])
    assert without_o(Sentence(["a", "new"], ["X", "X"])) == ["X", "Y"]
