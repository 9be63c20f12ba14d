"""Tags sentences with a network trained by train_window.py; prints a line per word: word, tag, score."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from cs224d_l3.text.corpora import read_text, tokenize
from cs224d_l3.text.tagger import Tagger
from training.command import pick_device, run


@dataclass(frozen=True)
class Settings:
    """Tag the words of a sentence, or of a text file."""

    sentence: Annotated[str | None, tyro.conf.Positional] = None
    """Sentence to tag; none: --file."""
    file: Path | None = None
    """Text file to tag, one sentence a line; -: standard input."""
    checkpoint: Path = Path("runs/window.pt")
    """Checkpoint written by train_window.py."""
    device: str = "auto"
    """cpu, cuda, or auto."""

    def __post_init__(self) -> None:
        if (self.sentence is None) == (self.file is None):
            raise ValueError(f"exactly one of sentence and file must be given, got {self.sentence!r} and {self.file}")
        if self.sentence is not None and not self.sentence.strip():
            raise ValueError(f"sentence must have a word, got {self.sentence!r}")


MAX_LINE = 2**20  # bytes; longer lines are split, each part a sentence
BATCH = 8192  # minimum number of words per batch


def sentences(settings: Settings) -> Iterator[list[str]]:
    """Words of each sentence of the input."""
    if settings.file is None:
        yield tokenize(settings.sentence or "")
    else:
        source = sys.stdin.buffer if settings.file == Path("-") else settings.file
        yield from read_text(source, tokenize, MAX_LINE)


def batches(text: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """Batches of sentences with at least ``BATCH`` words each, the last one excepted."""
    batch: list[list[str]] = []
    words = 0
    for sentence in text:
        batch.append(sentence)
        words += len(sentence)
        if words >= BATCH:
            yield batch
            batch, words = [], 0
    if batch:
        yield batch


def main() -> None:
    settings = tyro.cli(Settings)
    tagger = Tagger.load(settings.checkpoint, pick_device(settings.device))
    for batch in batches(filter(None, sentences(settings))):
        lines = []
        for tagged in tagger.tag_all(batch):
            lines += [f"{word}\t{tag}\t{score:.3f}" for word, tag, score in tagged]
            lines.append("")
        print("\n".join(lines), flush=True)


if __name__ == "__main__":
    run(main)
