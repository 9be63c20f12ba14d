"""Tags sentences with a network that train_window.py has trained: one word a line, with its tag and its score."""

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
    """Tag the words of a sentence, or of a file."""

    sentence: Annotated[str | None, tyro.conf.Positional] = None
    """The sentence; none: --file."""
    file: Path | None = None
    """A text, one sentence a line; - is standard input."""
    checkpoint: Path = Path("runs/window.pt")
    """What train_window.py has written."""
    device: str = "auto"
    """cpu, cuda, or auto."""

    def __post_init__(self) -> None:
        if (self.sentence is None) == (self.file is None):
            raise ValueError("give either a sentence or --file")
        if self.sentence is not None and not self.sentence.strip():
            raise ValueError("the sentence must hold a word")


LONGEST = 2**20  # bytes of a line; of a longer one each piece is a sentence
TOGETHER = 8192  # words


def sentences(settings: Settings) -> Iterator[list[str]]:
    """The words of one sentence after another."""
    if settings.file is None:
        yield tokenize(settings.sentence or "")
    else:
        source = sys.stdin.buffer if settings.file == Path("-") else settings.file
        yield from read_text(source, tokenize, LONGEST)


def together(text: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """Sentences with some thousand words in all."""
    some: list[list[str]] = []
    words = 0
    for sentence in text:
        some.append(sentence)
        words += len(sentence)
        if words >= TOGETHER:
            yield some
            some, words = [], 0
    if some:
        yield some


def main() -> None:
    settings = tyro.cli(Settings)
    tagger = Tagger.load(settings.checkpoint, pick_device(settings.device))
    for some in together(filter(None, sentences(settings))):
        lines = []
        for tagged in tagger.tag_all(some):
            lines += [f"{word}\t{tag}\t{score:.3f}" for word, tag, score in tagged]
            lines.append("")
        print("\n".join(lines), flush=True)


if __name__ == "__main__":
    run(main)
