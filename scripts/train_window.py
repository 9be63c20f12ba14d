"""Trains the lecture's window network to tag words, and prints its score on held-out text.

Without arguments it learns which words of the Python reference are code; nothing is downloaded.
With ``--train`` and ``--dev`` it learns the tags of CoNLL files, with pretrained word vectors from ``--vectors``.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

# Before torch is imported: idle OpenMP threads sleep instead of spinning; six times as fast with two threads on a busy
# machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch import Tensor

from cs224d_l3 import AdaGrad, WindowScorer, l2_penalty, weight_matrices
from cs224d_l3._checks import check_number, check_size
from cs224d_l3.text.arrays import ArrayBuilder, fingerprint, positions
from cs224d_l3.text.corpora import OUTSIDE, Sentence
from cs224d_l3.text.decoding import encode_tags
from cs224d_l3.text.tagger import Tagger, Windows
from cs224d_l3.windows import check_odd
from training.averaging import Averaging
from training.batches import Epoch
from training.columns import ColumnSettings
from training.command import run
from training.corpus import Corpus, build_tagger, read_corpus
from training.run import Run, set_up
from training.scores import Tally, best_threshold, by_majority, tally, win_rate
from training.settings import RunSettings, read_settings
from training.task import Dev, Task

AVERAGED = 100  # times an epoch: enough for a mean, and its cost is negligible


@dataclass(frozen=True)
class Settings(ColumnSettings, RunSettings):
    """Train the window network of CS224d, Lecture 3, to tag words."""

    train: Path | None = None
    """Training file with one tagged word a line; none: the Python reference."""
    dev: Path | None = None
    """File to select the best epoch on; none: every tenth sentence of --train."""
    test: Path | None = None
    """File for the final score; none: the score on dev."""
    vectors: Path | None = None
    """Pretrained word vectors in the text format of GloVe, word2vec or fastText, in UTF-8; they set --d."""
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
    suffixes: tuple[int, ...] = (2, 3)
    """Lengths of the suffixes that are embedded as separate features; none: --suffixes alone."""
    suffix_count: int = 5
    """Minimum count of a suffix in training; rarer ones are read as unknown."""
    d_features: int = 5
    """Dimension of the vectors of capitalisation and suffixes."""
    scheme: Literal["IOB1", "IOB2", "IOBES"] = "IOBES"
    """Tagging scheme of training; IOB tags of the files are converted to it, and back to be scored."""
    viterbi: bool = True
    """Find the most probable sequence of tags that the scheme admits; otherwise the most probable tag of each word."""

    lr: float = 0.05
    """AdaGrad's learning rate."""
    l2: float = 0.0
    """L2 penalty (lambda) on the weight matrices."""
    dropout: float = 0.5
    """Dropout probability of the network's input."""
    average: float = 0.0
    """Epochs over which the weights are averaged (Polyak and Juditsky, 1992); 0: the last weights."""
    unknown: float = 0.5
    """Probability of reading a word as unknown in training, if seen once and without a pretrained vector."""
    batch: int = 64
    """Batch size in windows."""
    out: Path = Path("runs/window.pt")
    """File of the trained network; the run's other files are named after it. An earlier run of that name is renamed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("d", "hidden", "batch", "suffix_count", "d_features"):
            check_size(name, getattr(self, name))
        for length in self.suffixes:
            check_size("suffixes", length)
        if len(set(self.suffixes)) < len(self.suffixes):
            raise ValueError(f"suffixes must be of different lengths, got {self.suffixes}")
        check_size("split", self.split, at_least=0)
        check_odd("window", self.window)
        check_number("lr", self.lr, above=0)
        check_number("l2", self.l2, at_least=0)
        check_number("margin", self.margin, at_least=0)
        check_number("average", self.average, at_least=0)
        check_number("dropout", self.dropout, at_least=0, below=1)
        check_number("unknown", self.unknown, at_least=0, at_most=1)
        if self.train is None and (self.dev or self.test):
            raise ValueError("train must be given with dev or test, got None")


class Tagging(Task):
    """Training task of the window network."""

    def __init__(self, settings: Settings, corpus: Corpus, device: torch.device) -> None:
        self.settings, self.corpus = settings, corpus
        tagger, has_vector = build_tagger(settings, corpus)
        self.model = tagger.model.to(device)
        self.noun = "windows" if settings.objective == "softmax" else "pairs"
        self.rows = settings.batch * (1 if settings.objective == "softmax" else 2)
        index = {tag: i for i, tag in enumerate(tagger.tags)}
        with ArrayBuilder("h") as target:

            def words() -> Iterator[list[str]]:
                for sentence in corpus.train():
                    target.extend(index[tag] for tag in encode_tags(sentence.tags, settings.scheme))
                    yield sentence.words

            self.train = tagger.windows(words())
            self.target = target.tensor()
        self.entities = self.negatives = None
        if settings.objective == "max-margin":
            self.entities, self.negatives = (positions(self.target, f) for f in (lambda t: t != 0, lambda t: t == 0))
        self.dev, self.test = (tagger.windows(s.words for s in part) for part in (corpus.dev, corpus.test))
        self.rare = (self.train.count_words(len(tagger.vocabulary)) == 1) & ~has_vector.to(device)
        self.optimizer = AdaGrad(self.model.parameters(), lr=settings.lr)
        self.weights = weight_matrices(self.model)
        updates = len(self.batches(torch.Generator()))
        every = max(1, updates // AVERAGED)
        self.averaging = Averaging(self.model, settings.average * updates, every) if settings.average else None
        # with the averaged weights, which are evaluated and saved
        self.tagger = replace(tagger, model=self.averaging.mean) if self.averaging else tagger

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
        (words, features), *_ = inputs
        return self.model.loss(words, target, features)

    def read(self, index: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Words and features of windows; rare words are randomly replaced by the unknown word."""
        words, features = self.train[index]
        replaced = self.rare[words] & (torch.rand(words.shape, device=words.device) < self.settings.unknown)
        return words.masked_fill(replaced, self.tagger.vocabulary.unknown), features

    def penalty(self) -> Tensor | None:
        return l2_penalty(self.weights, self.settings.l2) if self.settings.l2 else None

    def after_update(self) -> None:
        if self.averaging:
            self.averaging.after_update()

    def state_dict(self) -> dict[str, Any]:
        return self.averaging.state_dict() if self.averaging else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.averaging and state:
            self.averaging.load_state_dict(state)

    def evaluate(self) -> Dev:
        score = self.score(self.corpus.dev, self.dev, fit_threshold=True)
        return Dev(score.criterion, str(score), score.numbers("dev"))

    def score(self, part: list[Sentence], windows: Windows, fit_threshold: bool = False) -> Tally:
        found, scores = self.tagger.predict(windows)
        gold = [s.tags for s in part]
        if fit_threshold and self.settings.objective == "max-margin":
            self.tagger.threshold = best_threshold(scores, self.is_entity(part))
            found = (scores > self.tagger.threshold).long()
        indices = iter(found.tolist())
        decoded = [self.tagger.decode(list(islice(indices, n))) for n in windows.lengths]
        return tally(gold, decoded, self.tagger.output_tags)

    def is_entity(self, part: list[Sentence]) -> Tensor:
        return torch.tensor([tag != OUTSIDE for s in part for tag in s.tags], device=self.tagger.device)

    def save(self, path: Path) -> None:
        self.tagger.save(path)

    @property
    def held_out(self) -> Iterator[tuple[str, list[Sentence], Windows]]:
        parts = (("dev", self.corpus.dev, self.dev), ("test", self.corpus.test, self.test))
        return (each for each in parts if each[1])

    def tables(self) -> Iterator[str]:
        """Scores of the best network by type."""
        for name, part, windows in self.held_out:
            yield from (f"{name:4} {line}" for line in self.score(part, windows).table())

    def report(self) -> Iterator[str]:
        """Scores of the best network and of the majority baseline."""
        majority = by_majority(self.corpus.train())
        for name, part, windows in self.held_out:
            yield f"{name:4} {self.score(part, windows)}"
            baseline = tally([s.tags for s in part], [majority(s) for s in part], self.tagger.output_tags)
            yield f"{'':4} {baseline}  every word's most frequent tag"
            if self.settings.objective == "max-margin":
                rate = win_rate(self.tagger.predict(windows)[1], self.is_entity(part))
                if not math.isnan(rate):  # nan: all words or none are entities
                    yield f"{'':4} the window of an entity outscores another in {rate:.2f} % of all pairs"


def main() -> None:
    settings = read_settings(Settings)
    with set_up(settings) as (processes, generator):
        task = Tagging(settings, read_corpus(settings), processes.device)
        tagger = task.tagger
        training = Run(settings, task, generator, processes)
        for file in task.corpus.files:
            training.log(str(file))
        training.log(
            f"{len(task.train):,} words to train on, {len(task.dev):,} dev, {len(task.test):,} test;"
            f" {len(tagger.vocabulary):,} in the vocabulary; tags {' '.join(tagger.tags)};"
            f" {sum(p.numel() for p in task.model.parameters()):,} parameters on {processes.device}"
        )
        training.fit()
        if processes.is_first:
            task.tagger = Tagger.load(settings.out, processes.device)
            training.log("\n".join(task.tables()))
            print(f"best epoch {training.best_epoch}, saved in {settings.out}; trained for {training.seconds:.0f} s")
            print("\n".join(task.report()))


if __name__ == "__main__":
    run(main)
