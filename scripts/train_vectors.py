"""Trains word vectors on unlabelled text by ranking: a window must outscore a copy with a random centre word.

Collobert and Weston, A unified architecture for natural language processing, ICML 2008: section 1.4's max-margin
objective, with corrupt windows that need no labels.

python scripts/train_vectors.py --train ptb.train.txt --dev ptb.valid.txt
python scripts/train_window.py --train eng.train --dev eng.testa --vectors runs/vectors.txt
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

# Before torch is imported: idle OpenMP threads sleep instead of spinning; six times as fast with two threads on a busy
# machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch import Tensor

from cs224d_l3 import UNITS, AdaGrad, WindowScorer, corrupt
from cs224d_l3._checks import check_number, check_size
from cs224d_l3.text.arrays import around, fingerprint, positions
from cs224d_l3.text.corpora import read_vectors
from cs224d_l3.text.files import write_vectors
from cs224d_l3.text.generator import nearest
from cs224d_l3.text.plain import Text, read
from cs224d_l3.windows import check_odd
from training.batches import Epoch
from training.command import run
from training.run import Run, set_up
from training.settings import RunSettings, read_settings
from training.task import Dev, Task


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train word vectors on plain text."""

    changeable: ClassVar = RunSettings.changeable | {"nearest"}

    train: Path | None = None
    """Training text, one sentence a line; none: Python's documentation."""
    dev: Path | None = None
    """Text to evaluate on; none: every tenth sentence of --train."""
    encoding: str = "utf-8"
    """Encoding of the texts, such as latin-1; a byte order mark decides where there is one."""
    min_count: int = 2
    """Minimum count of a word; rarer ones are read as unknown."""
    max_words: int = 100_000
    """Maximum size of the vocabulary: the most frequent words."""
    lower: bool = True
    """Lower-case the words."""
    marks: Literal["auto", "split", "keep"] = "auto"
    """Split punctuation from words; auto: unless the text is tokenized already, like the Penn Treebank."""

    unit: Literal["sigmoid", "tanh", "hardtanh", "softsign", "relu", "leaky_relu"] = "hardtanh"
    """Activation function of the hidden units."""
    window: int = 7
    """Window size in words, odd."""
    d: int = 50
    """Dimension of the word vectors."""
    hidden: int = 100
    """Number of hidden units."""
    margin: float = 1.0
    """Margin between the scores of a real and a corrupt window."""

    lr: float = 0.05
    """AdaGrad's learning rate."""
    batch: int = 256
    """Batch size in windows."""
    epochs: int = 10
    """Maximum number of epochs; every epoch draws new corrupt windows."""
    out: Path = Path("runs/vectors.txt")
    """File of the vectors in GloVe's text format; the run's other files are named after it."""
    nearest: tuple[str, ...] = ()
    """Words whose nearest neighbours are printed at the end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("min_count", "d", "hidden", "batch"):
            check_size(name, getattr(self, name))
        check_size("max_words", self.max_words, at_least=3)
        check_odd("window", self.window)
        check_number("margin", self.margin, at_least=0)
        check_number("lr", self.lr, above=0)
        if self.train is None and self.dev:
            raise ValueError("train must be given with dev, got None")


class Ranking(Task):
    """Training task of the word vectors."""

    noun = "windows"

    def __init__(self, settings: Settings, text: Text, device: torch.device) -> None:
        self.settings, self.text, self.V = settings, text, len(text.vocabulary)
        self.rows = 2 * settings.batch
        f = UNITS[settings.unit].f
        self.model = WindowScorer(self.V, settings.d, settings.window, settings.hidden, f, sparse=True).to(device)
        self.optimizer = AdaGrad(self.model.parameters(), lr=settings.lr)
        # neither the unknown word nor a sentence's end is a centre word
        unknown = text.vocabulary.unknown
        self.train, self.dev = (positions(part, lambda t: t > unknown) for part in (text.train, text.dev))
        for name, centres in (("train", self.train), ("dev", self.dev)):
            if not len(centres):
                raise ValueError(f"{name} must have a word with a count of {settings.min_count} in train, got none")

    def data(self) -> str:
        found = fingerprint(self.text.vocabulary.words, self.text.train, self.text.dev)
        return f"{len(self.text.train)} words to train on, {len(self.text.dev)} dev, {found}"

    def batches(self, generator: torch.Generator) -> Epoch:
        return Epoch(self.train, self.settings.batch, generator)

    def windows(self, text: Tensor, centres: Tensor) -> Tensor:
        half = self.settings.window // 2
        return around(text, centres, half, half)

    def loss(self, centres: Tensor) -> Tensor:  # type: ignore[override]
        windows = self.windows(self.text.train, centres)
        corrupted = corrupt(windows, self.V)
        return self.model.loss(windows.to(self.device), corrupted.to(self.device), margin=self.settings.margin)

    @property
    def device(self) -> torch.device:
        return self.model.U.device

    @torch.no_grad()
    def evaluate(self) -> Dev:
        """Percentage of windows that outscore their corrupt copy; the random centre words are the same every time."""
        generator, wins = torch.Generator().manual_seed(0), 0
        for centres in self.dev.split(8192):
            windows = self.windows(self.text.dev, centres.long())
            corrupted = corrupt(windows, self.V, generator)
            wins += int((self.model(windows.to(self.device)) > self.model(corrupted.to(self.device))).sum())
        rate = 100 * wins / len(self.dev)
        return Dev(rate, f"the real window wins in {rate:.2f} % of pairs", {"dev_win_rate": rate})

    def save(self, path: Path) -> None:
        write_vectors(path, self.text.vocabulary.words, self.model.input.L.weight.detach().cpu())


def main() -> None:
    settings = read_settings(Settings)
    with set_up(settings) as (processes, generator):
        names = ("train", "dev", "min_count", "max_words", "lower", "marks", "seed", "encoding")
        text = read(**{name: getattr(settings, name) for name in names}, test=None)
        vocabulary = text.vocabulary
        queries = dict(zip(settings.nearest, vocabulary.encode(settings.nearest).tolist(), strict=True))
        if unknown := [word for word, i in queries.items() if i == vocabulary.unknown]:
            raise ValueError(f"nearest must have words of the vocabulary only, got {', '.join(map(repr, unknown))}")
        task = Ranking(settings, text, processes.device)
        training = Run(settings, task, generator, processes)
        training.log(
            f"{len(task.train):,} windows to train on, {len(task.dev):,} dev; {task.V:,} words in the vocabulary"
        )
        training.fit()
        if processes.is_first:
            words, vectors = read_vectors(settings.out)
            print(
                f"{len(words):,} vectors of {settings.d} dimensions in {settings.out}, of epoch {training.best_epoch}"
            )
            L = task.model.input.L.weight.detach().cpu().clone()
            L[2:] = vectors
            for word, i in queries.items():
                print(f"{word}: {' '.join(neighbour for neighbour, _ in nearest(vocabulary, L, i, 8))}")


if __name__ == "__main__":
    run(main)
