"""Tags sentences with a network trained by train_window.py; prints a line per word: word, tag, score.

With ``--score`` it prints the scores on a column file with tags instead.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from cs224d_l3.text.columns import Sentence
from cs224d_l3.text.corpora import read_text, split_blanks, tokenize
from cs224d_l3.text.files import check_input
from cs224d_l3.text.schemes import ENTITY, OUTSIDE, is_iob_tag
from cs224d_l3.text.tagger import Tagger
from training.columns import ColumnSettings
from training.command import pick_device, run
from training.scores import Tally


@dataclass(frozen=True)
class Settings(ColumnSettings):
    """Tag the words of a sentence, or of a file."""

    sentence: Annotated[str | None, tyro.conf.Positional] = None
    """Sentence to tag; none: --file."""
    file: Path | None = None
    """Text file to tag, one sentence a line; -: standard input."""
    tokenized: bool = False
    """Words are set apart by blanks already; otherwise punctuation is split from them."""
    columns: bool = False
    """The file is a column file, one word a line and an empty line between sentences; its tags are not read."""
    score: bool = False
    """The file is a column file with tags: print precision, recall and F1 against them."""
    checkpoint: Path = Path("runs/window.pt")
    """Checkpoint written by train_window.py."""
    device: str = "auto"
    """cpu, cuda, or auto."""

    def __post_init__(self) -> None:
        if (self.sentence is None) == (self.file is None):
            raise ValueError(f"exactly one of sentence and file must be given, got {self.sentence!r} and {self.file}")
        if self.sentence is not None and not self.sentence.strip():
            raise ValueError(f"sentence must have a word, got {self.sentence!r}")
        if (self.columns or self.score) and self.file is None:
            raise ValueError("file must be given with columns or score, got a sentence")
        if (self.columns or self.score) and self.tokenized:
            raise ValueError("tokenized is for text, one sentence a line; columns and score are for column files")


MAX_LINE = 2**20  # bytes; longer lines are split, each part a sentence
BATCH = 8192  # minimum number of words per batch


def read(settings: Settings) -> Iterable[Sentence]:
    """Sentences of the input; without tags all words are O."""
    source = sys.stdin.buffer if settings.file == Path("-") else settings.file
    if source is not None and (settings.columns or settings.score):
        file = settings.open_columns(source, tagged=settings.score)
        print(file, file=sys.stderr)
        return file
    split = split_blanks if settings.tokenized else tokenize
    if source is None:
        text = iter([split(settings.sentence or "")])
    else:
        text = read_text(source, split, MAX_LINE, settings.encoding)
    return (Sentence(words, [OUTSIDE] * len(words)) for words in text if words)


def batches(text: Iterable[Sentence]) -> Iterator[list[Sentence]]:
    """Batches of sentences with at least ``BATCH`` words each, the last one excepted."""
    batch: list[Sentence] = []
    words = 0
    for sentence in text:
        batch.append(sentence)
        words += len(sentence.words)
        if words >= BATCH:
            yield batch
            batch, words = [], 0
    if batch:
        yield batch


def score(tagger: Tagger, text: Iterable[Sentence]) -> Tally:
    """Counts of right tags; for a max-margin network those of the file are read as ENTITY and O."""
    tally = Tally(tagger.output_tags)
    for batch in batches(text):
        for sentence, tagged in zip(batch, tagger.tag_all([s.words for s in batch]), strict=True):
            gold = sentence.tags
            if tagger.network["objective"] == "max-margin":
                gold = [OUTSIDE if tag == OUTSIDE else ENTITY for tag in gold]
            for tag in gold:
                if tag != OUTSIDE and is_iob_tag(tag) != (tally.unit == "entity"):
                    expected = "tags of entities" if tally.unit == "entity" else "plain tags"
                    tags = " ".join(sorted(tagger.output_tags))
                    raise ValueError(f"file must have {expected}, as the network, {tags}, got {tag!r}")
            tally.add(gold, [tag for _, tag, _ in tagged])
    return tally


def main() -> None:
    settings = tyro.cli(Settings)
    check_input("checkpoint", settings.checkpoint, "; train_window.py writes one")
    check_input("file", None if settings.file == Path("-") else settings.file)
    tagger = Tagger.load(settings.checkpoint, pick_device(settings.device))
    text = read(settings)
    if settings.score:
        scores = score(tagger, text)
        print("\n".join([*scores.table(), str(scores)]))
        return
    for batch in batches(text):
        lines = []
        for tagged in tagger.tag_all([sentence.words for sentence in batch]):
            lines += [f"{word}\t{tag}\t{s:.3f}" for word, tag, s in tagged]
            lines.append("")
        print("\n".join(lines), flush=True)


if __name__ == "__main__":
    run(main)
