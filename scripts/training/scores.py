"""Tagging metrics: precision, recall and F1, pairwise win rate; threshold selection; the majority baseline."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cs224d_l3.text.corpora import OUTSIDE, Sentence, is_iob_tag


class Score(NamedTuple):
    """Precision, recall and F1 in per cent."""

    precision: float
    recall: float
    f1: float

    def __str__(self) -> str:
        return f"precision {self.precision:5.2f}  recall {self.recall:5.2f}  F1 {self.f1:5.2f}"


def score_tags(gold: Sequence[list[str]], found: Sequence[list[str]]) -> Score:
    """Scores by entity, as conlleval counts them, for IOB tags; by word, without O, for plain tags."""
    is_iob = any(is_iob_tag(tag) for tags in gold for tag in tags)
    pick = entities if is_iob else tagged_words
    right = in_gold = in_found = 0
    for gold_tags, found_tags in zip(gold, found, strict=True):
        a, b = pick(gold_tags), pick(found_tags)
        right, in_gold, in_found = right + len(a & b), in_gold + len(a), in_found + len(b)
    return Score(
        precision=100 * right / max(1, in_found),
        recall=100 * right / max(1, in_gold),
        f1=200 * right / max(1, in_gold + in_found),
    )


def entities(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """(start, end, type) of every entity, the end exclusive, by conlleval's rule (Tjong Kim Sang and Buchholz, 2000):
    an entity begins at a B-, or at an I- that does not follow its own type, and extends over each I- of its type."""
    found, begin = set(), -1
    for i, tag in enumerate([*tags, OUTSIDE]):
        if begin >= 0 and tag != f"I-{tags[begin][2:]}":
            found.add((begin, i, tags[begin][2:]))
            begin = -1
        if begin < 0 and tag != OUTSIDE:
            begin = i
    return found


def tagged_words(tags: Sequence[str]) -> set[tuple[int, str]]:
    """(position, tag) of every word that is not O."""
    return {(i, tag) for i, tag in enumerate(tags) if tag != OUTSIDE}


def win_rate(s: Tensor, is_entity: Tensor) -> float:
    """Percentage of (entity, non-entity) pairs in which the entity's window scores higher, ties as half; AUC."""
    entities, others = s[is_entity].contiguous(), s[~is_entity].sort().values
    if not len(entities) or not len(others):
        return float("nan")
    below = torch.searchsorted(others, entities) + torch.searchsorted(others, entities, right=True)
    return 100 * float(below.double().mean()) / 2 / len(others)


def best_threshold(s: Tensor, is_entity: Tensor) -> float:
    """Score threshold of the best F1; a window is an entity's if it scores higher."""
    s, order = s.sort(descending=True)
    right = is_entity[order].cumsum(0).double()
    f1 = 2 * right / (torch.arange(1, len(s) + 1, device=s.device) + is_entity.sum())
    f1[:-1][s[:-1] == s[1:]] = -1.0  # no threshold separates equal scores
    last = int(f1.argmax())
    return float(s[last : last + 2].mean()) if last + 1 < len(s) else float(s[last]) - 1


def by_majority(train: Iterable[Sentence]) -> Callable[[Sentence], list[str]]:
    """Majority baseline: the most frequent tag of each word in training; O for unseen words."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sentence in train:
        for word, tag in zip(*sentence, strict=True):
            counts[word][tag] += 1
    most = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
    return lambda sentence: [most.get(word, OUTSIDE) for word in sentence.words]
