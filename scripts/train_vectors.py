"""Trains word vectors on raw text, without labels: a real window must outscore the same with another centre word.

Collobert and Weston, A unified architecture for natural language processing, ICML 2008: section 1.4's max-margin
objective, where the corrupt window costs nothing to make.

python scripts/train_vectors.py --train ptb.train.txt --dev ptb.valid.txt
python scripts/train_window.py --train eng.train --dev eng.testa --vectors runs/vectors.txt
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from _language import nearest
from _text import read
from _training import pick_device, prepare_output, run, writing
from torch import Tensor
from tqdm import tqdm

from cs224d_l3 import UNITS, AdaGrad, WindowScorer, corrupt
from cs224d_l3._checks import check_number, check_size
from cs224d_l3.windows import check_odd


@dataclass(frozen=True)
class Settings:
    """Train word vectors on plain text."""

    train: Path | None = None
    """Text to train on, one sentence a line; none: Python's documentation."""
    dev: Path | None = None
    """Text to watch the training by; none: every tenth sentence of --train."""
    min_count: int = 2
    """Words seen less often are read as unknown."""
    max_words: int = 100_000
    """Size of the vocabulary at the most; the most frequent words stay."""
    lower: bool = True
    """Read words in lower case."""
    marks: Literal["auto", "split", "keep"] = "auto"
    """Set marks apart from words; auto: where the text has not done so itself, as the Penn Treebank has."""

    unit: Literal["sigmoid", "tanh", "hardtanh", "softsign", "relu", "leaky_relu"] = "hardtanh"
    """The hidden units."""
    window: int = 7
    """Words in a window, odd."""
    d: int = 50
    """Dimensions of a word vector."""
    hidden: int = 100
    """Hidden units."""
    margin: float = 1.0
    """By how much a real window must win."""

    lr: float = 0.05
    """AdaGrad's rate."""
    batch: int = 256
    """Windows an update."""
    epochs: int = 10
    """Times every window is seen, beside another corrupt one each time."""
    seed: int = 0
    """Of the weights, the order of the windows, and the corrupt words."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    threads: int = 1
    """Of the processor."""
    out: Path = Path("runs/vectors.txt")
    """The vectors, in GloVe's text form."""
    nearest: tuple[str, ...] = ()
    """At the end, print the words nearest to these."""

    def __post_init__(self) -> None:
        for name in ("min_count", "d", "hidden", "batch", "epochs", "threads"):
            check_size(name, getattr(self, name))
        check_size("max_words", self.max_words, at_least=3)
        check_odd("window", self.window)
        check_number("margin", self.margin, at_least=0)
        check_number("lr", self.lr, above=0)
        check_number("seed", self.seed, at_least=0, at_most=2**63 - 1)
        if self.train is None and self.dev:
            raise ValueError("train must be given where dev is")


def windows_of(text: Tensor, size: int) -> Tensor:
    """The window around every word that is not a sentence's end, as a view: where its parts begin, (N,)."""
    edge = text.new_zeros(size // 2)
    return torch.cat([edge, text, edge]).unfold(0, size, 1)


@torch.no_grad()
def win_rate(model: WindowScorer, windows: Tensor, real: Tensor, num_words: int) -> float:
    """How often a real window outscores the same with another centre word, in per cent; always the same other words."""
    generator = torch.Generator().manual_seed(0)
    wins = 0
    for chosen in real.split(8192):
        batch = windows[chosen]
        others = corrupt(batch, num_words, generator)
        wins += int((model(batch.to(model.U.device)) > model(others.to(model.U.device))).sum())
    return 100 * wins / len(real)


def save(path: Path, words: list[str], vectors: Tensor) -> None:
    """A word and its numbers a line; the two words that stand for others are left out."""
    with writing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for word, vector in zip(words[2:], vectors[2:].tolist(), strict=True):
            file.write(f"{word} {' '.join(f'{number:.6g}' for number in vector)}\n")


def main() -> None:
    settings = tyro.cli(Settings)
    device = pick_device(settings.device)
    prepare_output(settings.out)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    names = ("train", "dev", "min_count", "max_words", "lower", "marks", "seed")
    text = read(**{name: getattr(settings, name) for name in names}, test=None)
    vocabulary, V = text.vocabulary, len(text.vocabulary)
    sought = dict(zip(settings.nearest, vocabulary.encode(settings.nearest).tolist(), strict=True))
    if unknown := [word for word, i in sought.items() if i == vocabulary.unknown]:
        raise ValueError(f"nearest must name words of the text, got {', '.join(map(repr, unknown))}")
    model = WindowScorer(V, settings.d, settings.window, settings.hidden, UNITS[settings.unit].f, sparse=True)
    model.to(device)
    optimizer = AdaGrad(model.parameters(), lr=settings.lr)
    train, dev = (windows_of(part, settings.window) for part in (text.train, text.dev))
    # what is known of an unknown word is nothing, and of a sentence's end, that a sentence ends
    real_train, real_dev = ((part > vocabulary.unknown).nonzero().squeeze(1) for part in (text.train, text.dev))
    for name, real in (("train", real_train), ("dev", real_dev)):
        if not len(real):
            raise ValueError(f"{name} must hold a word that train has {settings.min_count} times or more, got none")
    print(f"{len(real_train):,} windows to train on, {len(real_dev):,} dev; {V:,} words in the vocabulary", flush=True)
    for epoch in range(1, settings.epochs + 1):
        order = real_train[torch.randperm(len(real_train), generator=generator)].split(settings.batch)
        total, clock = 0.0, time.perf_counter()
        for chosen in tqdm(order, f"epoch {epoch}", unit="batch", leave=False, disable=None):
            batch = train[chosen]
            others = corrupt(batch, V, generator)
            J = model.loss(batch.to(device), others.to(device), margin=settings.margin)
            optimizer.zero_grad()
            J.backward()
            optimizer.step()
            total += J.item() * len(chosen)
        if not math.isfinite(total):
            raise ValueError(f"the loss is not finite any more in epoch {epoch}: try a smaller --lr than {settings.lr}")
        speed = len(real_train) / (time.perf_counter() - clock)
        save(settings.out, vocabulary.words, model.input.L.weight.detach())
        rate = win_rate(model, dev, real_dev, V)
        print(
            f"epoch {epoch:2}  loss {total / len(real_train):.4f}  dev: the real window wins in {rate:.2f} % of pairs"
            f"  {speed:,.0f} windows/s",
            flush=True,
        )
    print(f"{V - 2:,} vectors of {settings.d} dimensions in {settings.out}")
    for word, i in sought.items():
        found = nearest(vocabulary, model.input.L.weight.detach().cpu(), i, 8)
        print(f"{word}: {' '.join(other for other, _ in found)}")


if __name__ == "__main__":
    run(main)
