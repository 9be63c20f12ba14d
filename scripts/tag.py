"""Tags sentences with a network that train_window.py has trained: one word a line, with its tag and its score."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import tyro
from _tagger import Tagger
from _training import pick_device, run

from cs224d_l3.corpora import convert_iob, read_text, tokenize


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


def sentences(settings: Settings) -> Iterator[list[str]]:
    """The words of one sentence after another."""
    if settings.file is None:
        yield tokenize(settings.sentence or "")
    elif settings.file == Path("-"):
        yield from map(tokenize, sys.stdin)
    else:
        yield from (tokenize(" ".join(words)) for words in read_text(settings.file))


def main() -> None:
    settings = tyro.cli(Settings)
    tagger = Tagger.load(settings.checkpoint, pick_device(settings.device))
    text = filter(None, sentences(settings))
    while some := list(islice(text, 256)):
        for words, tagged in zip(some, tagger.tag(some), strict=True):
            tags = convert_iob([tag for tag, _ in tagged], "IOB2")
            for word, tag, (_, score) in zip(words, tags, tagged, strict=True):
                print(f"{word}\t{tag}\t{score:.3f}")
            print()


if __name__ == "__main__":
    run(main)
