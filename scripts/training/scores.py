"""Tagging metrics: precision, recall and F1, pairwise win rate; threshold selection; the majority baseline."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cs224d_l3.text.columns import Sentence
from cs224d_l3.text.schemes import OUTSIDE, convert_iob, is_iob_tag


class Score(NamedTuple):
    """Precision, recall and F1 in per cent."""

    precision: float
    recall: float
    f1: float


class Tally:
    """Counts of right tags, from which the scores follow: by entity, as conlleval counts them, for IOB tags; by word,
    without O, for plain tags; and the accuracy where no word is O, as for parts of speech.

    Args:
        tags: the tags that there are.

    Attributes:
        unit: "entity", "word" or "accuracy", what is counted.
    """

    def __init__(self, tags: Iterable[str]) -> None:
        tags = set(tags)
        self.unit = "entity" if any(map(is_iob_tag, tags)) else "word" if OUTSIDE in tags else "accuracy"
        self.right, self.gold, self.found = Counter[str](), Counter[str](), Counter[str]()
        self.words = self.right_words = 0

    def add(self, gold: Sequence[str], found: Sequence[str]) -> None:
        """Count the tags of a sentence."""
        pick = entities if self.unit == "entity" else tagged_words
        a, b = pick(gold), pick(found)
        for counts, those in ((self.right, a & b), (self.gold, a), (self.found, b)):
            counts.update(each[-1] for each in those)
        if self.unit == "entity":  # the accuracy depends on the scheme
            gold, found = convert_iob(gold, "IOB2"), convert_iob(found, "IOB2")
        self.words += len(gold)
        self.right_words += sum(x == y for x, y in zip(gold, found, strict=True))

    def of(self, *types: str) -> Score:
        """The score of some types together; without any, of all."""
        right, gold, found = (sum(counts[t] for t in types or counts) for counts in (self.right, self.gold, self.found))
        return Score(100 * right / max(1, found), 100 * right / max(1, gold), 200 * right / max(1, gold + found))

    @property
    def accuracy(self) -> float:
        """Words with the right tag in per cent, O included; of entities the tags in IOB2."""
        return 100 * self.right_words / max(1, self.words)

    @property
    def criterion(self) -> float:
        """F1; or the accuracy where no word is O."""
        return self.accuracy if self.unit == "accuracy" else self.of().f1

    def numbers(self, prefix: str) -> dict[str, float]:
        """Scores over all and by type, to record: prefix_f1, prefix_f1/PER and so on; prefix_word_f1 by word."""
        word = "" if self.unit == "entity" else "word_"
        numbers = {f"{prefix}_accuracy": self.accuracy}
        if self.unit != "accuracy":
            numbers |= {f"{prefix}_{word}{name}": value for name, value in self.of()._asdict().items()}
        for t in sorted(self.gold | self.found):
            numbers |= {f"{prefix}_{word}{name}/{t}": value for name, value in self.of(t)._asdict().items()}
        return numbers

    def __str__(self) -> str:
        if self.unit == "accuracy":
            return f"word accuracy {self.accuracy:5.2f}"
        precision, recall, f1 = self.of()
        return f"precision {precision:5.2f}  recall {recall:5.2f}  {'word ' * (self.unit == 'word')}F1 {f1:5.2f}"

    def table(self) -> Iterator[str]:
        """Lines of a table by type, as conlleval prints it."""
        things = "entities" if self.unit == "entity" else "tags" if self.unit == "accuracy" else "tags other than O"
        width = max(map(len, [*self.gold, *self.found, self.unit]), default=0)
        yield (
            f"{self.words:,} words with {self.gold.total():,} {things}; found {self.found.total():,},"
            f" {self.right.total():,} right; word accuracy {self.accuracy:.2f}"
        )
        yield f"{'':{width}}  precision  recall     F1   gold  found  right"
        for t in sorted(self.gold | self.found):
            p, r, f1 = self.of(t)
            yield f"{t:{width}}  {p:9.2f}  {r:6.2f}  {f1:5.2f}  {self.gold[t]:5}  {self.found[t]:5}  {self.right[t]:5}"


def tally(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]], tags: Iterable[str] = ()) -> Tally:
    """Counts of all sentences.

    Args:
        gold: true tags of each sentence.
        found: predicted tags of each sentence.
        tags: the tags that there are; none: those of ``gold``.
    """
    counts = Tally(set(tags) or {tag for sentence in gold for tag in sentence})
    for gold_tags, found_tags in zip(gold, found, strict=True):
        counts.add(gold_tags, found_tags)
    return counts


def score_tags(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> Score:
    """Precision, recall and F1 of all sentences, as :class:`Tally` counts them."""
    return tally(gold, found).of()


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
    """Majority baseline: the most frequent tag of each word in training; for unseen words O, or where there is none
    the most frequent tag of all."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    total = Counter[str]()
    for sentence in train:
        for word, tag in zip(*sentence, strict=True):
            counts[word][tag] += 1
            total[tag] += 1
    most = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
    unseen = OUTSIDE if OUTSIDE in total or not total else total.most_common(1)[0][0]
    return lambda sentence: [most.get(word, unseen) for word in sentence.words]
