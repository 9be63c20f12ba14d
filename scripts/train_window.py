"""Trains the lecture's window network to tag words, and prints its score on held-out text.

Without arguments it learns which words of the Python reference are code; nothing is downloaded.
With ``--train`` and ``--dev`` it learns the tags of CoNLL files, with pretrained word vectors from ``--vectors``.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from cs224d_l3 import AdaGrad, WindowScorer, l2_penalty, softmax_cross_entropy, weight_matrices
from cs224d_l3._checks import check_number, check_size
from cs224d_l3.text.arrays import ArrayBuilder, fingerprint, positions
from cs224d_l3.text.corpora import (
    OUTSIDE,
    Sentence,
    Vocabulary,
    convert_iob,
    read_columns,
    read_vectors,
    stream_columns,
)
from cs224d_l3.text.python_corpus import python_reference
from cs224d_l3.text.tagger import Tagger, Windows
from cs224d_l3.windows import check_odd
from training.batches import Epoch
from training.command import run
from training.run import Run, set_up
from training.scores import Score, best_threshold, by_majority, score_tags, win_rate
from training.settings import RunSettings, read_settings
from training.task import Dev, Task

ENTITY = "ENTITY"  # the only tag besides O with the max-margin objective


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train the window network of CS224d, Lecture 3, to tag words."""

    train: Path | None = None
    """Training file with one tagged word a line; none: the Python reference."""
    dev: Path | None = None
    """File to select the best epoch on; none: every tenth sentence of --train."""
    test: Path | None = None
    """File for the final score; none: the score on dev."""
    vectors: Path | None = None
    """Pretrained word vectors in GloVe's text format; they set --d."""
    split: int = 0
    """Random seed of the split by topic of the Python reference."""

    objective: Literal["softmax", "max-margin"] = "softmax"
    """Softmax over the tags; or the notes' max-margin objective, between entity windows and corrupt ones."""
    margin: float = 1.0
    """Margin between the scores of an entity's window and a corrupt one (max-margin)."""
    unit: Literal["sigmoid", "tanh", "hardtanh", "softsign", "relu", "leaky_relu"] = "tanh"
    """Activation function of the hidden units."""
    window: int = 5
    """Window size in words, odd."""
    d: int = 50
    """Dimension of the word vectors."""
    hidden: int = 100
    """Number of hidden units."""
    capitalisation: bool = True
    """Lower-case the words, and embed their capitalisation as a separate feature."""

    lr: float = 0.05
    """AdaGrad's learning rate."""
    l2: float = 0.0
    """L2 penalty (lambda) on the weight matrices."""
    dropout: float = 0.5
    """Dropout probability of the network's input."""
    unknown: float = 0.5
    """Probability of reading a word as unknown in training, if seen once and without a pretrained vector."""
    batch: int = 64
    """Batch size in windows."""
    out: Path = Path("runs/window.pt")
    """File of the trained network; the run's other files are named after it. An earlier run of that name is renamed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("d", "hidden", "batch"):
            check_size(name, getattr(self, name))
        check_size("split", self.split, at_least=0)
        check_odd("window", self.window)
        check_number("lr", self.lr, above=0)
        check_number("l2", self.l2, at_least=0)
        check_number("margin", self.margin, at_least=0)
        check_number("dropout", self.dropout, at_least=0, below=1)
        check_number("unknown", self.unknown, at_least=0, at_most=1)
        if self.train is None and (self.dev or self.test):
            raise ValueError("train must be given with dev or test, got None")


# ------------------------------------------------------------------------------------------------- data


class Corpus(NamedTuple):
    """Train, dev and test sentences; every call of ``train`` reads the file anew."""

    train: Callable[[], Iterator[Sentence]]
    dev: list[Sentence]
    test: list[Sentence]


def read_corpus(settings: Settings) -> Corpus:
    """Corpus with the tags of the objective: ENTITY and O for max-margin; IOB tags converted to IOB1 for softmax."""

    def convert(sentences: Iterable[Sentence]) -> Iterator[Sentence]:
        for words, tags in sentences:
            if settings.objective == "max-margin":
                yield Sentence(words, [OUTSIDE if tag == OUTSIDE else ENTITY for tag in tags])
            else:
                yield Sentence(words, convert_iob(tags, "IOB1"))

    path = settings.train
    if path is None:
        reference = python_reference(settings.split)
        return Corpus(lambda: convert(reference.train), list(convert(reference.dev)), list(convert(reference.test)))
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "pipe or device"
        raise ValueError(f"train must be a regular file (read several times), got {path} (a {kind})")
    test = list(convert(read_columns(settings.test))) if settings.test else []
    if settings.dev:
        return Corpus(lambda: convert(stream_columns(path)), list(convert(read_columns(settings.dev))), test)
    dev = list(convert(islice(stream_columns(path), 0, None, 10)))
    return Corpus(lambda: convert(s for i, s in enumerate(stream_columns(path)) if i % 10), dev, test)


def tag_set(train: set[str], others: Iterable[Sentence]) -> list[str]:
    """Tags of the classifier: O, then the others, sorted."""
    if OUTSIDE not in train or len(train) < 2:
        raise ValueError(f"train must have the tag {OUTSIDE} and at least one other, got {sorted(train) or 'none'}")
    held_out = {tag for s in others for tag in s.tags}
    # B- is rare in IOB1, only between adjacent entities of one type, and may occur in dev alone
    if unseen := {tag for tag in held_out if tag.replace("B-", "I-", 1) not in train} - train:
        raise ValueError(f"dev and test must have tags of train only, {sorted(train)}, got {sorted(unseen)}")
    return [OUTSIDE, *sorted((train | held_out) - {OUTSIDE})]


def build_tagger(settings: Settings, corpus: Corpus) -> tuple[Tagger, Tensor]:
    """Newly initialized network with the pretrained vectors, and a mask of the words that have one, (V,)."""
    seen: set[str] = set()

    def words() -> Iterator[str]:
        for sentence in corpus.train():
            seen.update(sentence.tags)
            yield from sentence.words

    of_train = Vocabulary(words(), lower=settings.capitalisation)
    tags = tag_set(seen, [*corpus.dev, *corpus.test])
    pretrained, vectors = read_vectors(settings.vectors) if settings.vectors else ([], torch.empty(0, settings.d))
    vocabulary = Vocabulary([*of_train.words, *pretrained], lower=settings.capitalisation)
    network = {
        "objective": settings.objective,
        "unit": settings.unit,
        "d": vectors.shape[1],
        "window": settings.window,
        "hidden": settings.hidden,
        "capitalisation": settings.capitalisation,
        "dropout": settings.dropout,
    }
    tagger = Tagger.build(vocabulary, tags, network)
    # of the vectors of paris, Paris and PARIS: that of the form in the vocabulary, or else the first
    chosen: dict[int, int] = {}
    for i, (word, row) in enumerate(zip(pretrained, vocabulary.encode(pretrained).tolist(), strict=True)):
        if row not in chosen or word == vocabulary.words[row]:
            chosen[row] = i
    rows = torch.tensor(list(chosen), dtype=torch.int64)
    tagger.model.input.L.weight.data[rows] = vectors[list(chosen.values())]
    if settings.vectors and not any(vocabulary.words[row] in of_train.index for row in chosen):
        raise ValueError(f"{settings.vectors}: expected vectors of words of train, got none")
    return tagger, torch.zeros(len(vocabulary), dtype=torch.bool).index_fill_(0, rows, True)


# ------------------------------------------------------------------------------------------------ task


class Tagging(Task):
    """Training task of the window network."""

    def __init__(self, settings: Settings, corpus: Corpus, device: torch.device) -> None:
        self.settings, self.corpus = settings, corpus
        self.tagger, has_vector = build_tagger(settings, corpus)
        self.model = self.tagger.model.to(device)
        self.noun = "windows" if settings.objective == "softmax" else "pairs"
        index = {tag: i for i, tag in enumerate(self.tagger.tags)}
        with ArrayBuilder("h") as target:

            def words() -> Iterator[list[str]]:
                for sentence in corpus.train():
                    target.extend(index[tag] for tag in sentence.tags)
                    yield sentence.words

            self.train = self.tagger.windows(words())
            self.target = target.tensor()
        self.entities = self.negatives = None
        if settings.objective == "max-margin":
            self.entities, self.negatives = (positions(self.target, f) for f in (lambda t: t != 0, lambda t: t == 0))
        self.dev, self.test = (self.tagger.windows(s.words for s in part) for part in (corpus.dev, corpus.test))
        counts = self.train.count_words(len(self.tagger.vocabulary))
        self.rare = (counts == 1) & ~has_vector.to(device)
        self.optimizer = AdaGrad(self.model.parameters(), lr=settings.lr)
        self.weights = weight_matrices(self.model)

    def data(self) -> str:
        tags = [tag for part in (self.corpus.dev, self.corpus.test) for s in part for tag in s.tags]
        read = [windows.words for windows in (self.train, self.dev, self.test)]
        found = fingerprint([*self.tagger.vocabulary.words, *self.tagger.tags, *tags], self.target, *read)
        return f"{len(self.train)} words to train on, {len(self.dev)} dev, {len(self.test)} test, {found}"

    def batches(self, generator: torch.Generator) -> Epoch:
        indices = len(self.target) if self.entities is None else self.entities
        return Epoch(indices, self.settings.batch, generator, self.negatives)

    def loss(self, *batch: Tensor) -> Tensor:
        """Mean loss J of windows, or of pairs of windows, given by their positions."""
        inputs = [self.read(index) for index in batch]
        if isinstance(self.model, WindowScorer):
            (words, features), (corrupt, features_c) = inputs
            return self.model.loss(words, corrupt, features, features_c, margin=self.settings.margin)
        target = self.target[batch[0]].long().to(self.rare.device)
        return softmax_cross_entropy(self.model(*inputs[0]), target)

    def read(self, index: Tensor) -> tuple[Tensor, Tensor | None]:
        """Words and features of windows; rare words are randomly replaced by the unknown word."""
        words, features = self.train[index]
        replaced = self.rare[words] & (torch.rand(words.shape, device=words.device) < self.settings.unknown)
        words = words.masked_fill(replaced, self.tagger.vocabulary.unknown)
        return words, features if self.settings.capitalisation else None

    def penalty(self) -> Tensor | None:
        return l2_penalty(self.weights, self.settings.l2) if self.settings.l2 else None

    def evaluate(self) -> Dev:
        score = self.score(self.corpus.dev, self.dev, fit_threshold=True)
        return Dev(score.f1, str(score), {f"dev_{name}": value for name, value in score._asdict().items()})

    def score(self, part: list[Sentence], windows: Windows, fit_threshold: bool = False) -> Score:
        found, scores = self.tagger.predict(windows)
        gold = [s.tags for s in part]
        if fit_threshold and self.settings.objective == "max-margin":
            self.tagger.threshold = best_threshold(scores, self.is_entity(part))
            found = (scores > self.tagger.threshold).long()
        names = iter([self.tagger.tags[i] for i in found.tolist()])
        return score_tags(gold, [list(islice(names, n)) for n in windows.lengths])

    def is_entity(self, part: list[Sentence]) -> Tensor:
        return torch.tensor([tag != OUTSIDE for s in part for tag in s.tags], device=self.tagger.device)

    def save(self, path: Path) -> None:
        self.tagger.save(path)

    def report(self) -> Iterator[str]:
        """Scores of the best network and of the majority baseline."""
        majority = by_majority(self.corpus.train())
        for name, part, windows in (("dev", self.corpus.dev, self.dev), ("test", self.corpus.test, self.test)):
            if part:
                yield f"{name:4} {self.score(part, windows)}"
                baseline = score_tags([s.tags for s in part], [majority(s) for s in part])
                yield f"{'':4} {baseline}  every word's most frequent tag"
                if self.settings.objective == "max-margin":
                    rate = win_rate(self.tagger.predict(windows)[1], self.is_entity(part))
                    if math.isnan(rate):  # all words or none are entities
                        continue
                    yield f"{'':4} the window of an entity outscores another in {rate:.2f} % of all pairs"


def main() -> None:
    settings = read_settings(Settings)
    with set_up(settings) as (processes, generator):
        task = Tagging(settings, read_corpus(settings), processes.device)
        tagger = task.tagger
        training = Run(settings, task, generator, processes)
        training.log(
            f"{len(task.train):,} words to train on, {len(task.dev):,} dev, {len(task.test):,} test;"
            f" {len(tagger.vocabulary):,} in the vocabulary; tags {' '.join(tagger.tags)};"
            f" {sum(p.numel() for p in task.model.parameters()):,} parameters on {processes.device}"
        )
        training.fit()
        if processes.is_first:
            task.tagger = Tagger.load(settings.out, processes.device)
            print(f"best epoch {training.best_epoch}, saved in {settings.out}; trained for {training.seconds:.0f} s")
            print("\n".join(task.report()))


if __name__ == "__main__":
    run(main)
