"""Plain text as the scripts read it: three parts, the vocabulary of the first, and the words as numbers in a row."""

import re
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from .arrays import Growing
from .corpora import UNKNOWN, Vocabulary, read_text, tokenize
from .python_corpus import python_documentation

Sentences = Callable[[], Iterator[list[str]]]  # called again, it reads again: a text is never held as words


class Text(NamedTuple):
    """The vocabulary, and the words of every part, (N,), each sentence ended by a 0."""

    vocabulary: Vocabulary
    train: Tensor
    dev: Tensor
    test: Tensor
    split_marks: bool  # whether marks were set apart from words


def read(
    train: Path | None,
    dev: Path | None,
    test: Path | None,
    *,
    min_count: int,
    max_words: int,
    lower: bool,
    marks: str,
    seed: int,
) -> Text:
    """The parts of a text; where there is no file to train on, Python's own documentation.

    Without dev it is every tenth sentence of train; without test there is none. Files are read as a stream, once
    for the vocabulary and once for the words.
    """
    if train is None:
        text, is_split = python_documentation(seed), True
        parts: list[Sentences] = [lambda: iter(text.train), lambda: iter(text.dev), lambda: iter(text.test)]
    else:
        for file in filter(None, (train, dev, test)):
            if file.exists() and not file.is_file():  # a pipe would be empty the second time
                raise ValueError(f"{file}: expected a file, which is read more than once, and it is none")
        is_split = not are_marks_apart(train) if marks == "auto" else marks == "split"
        split = tokenize if is_split else str.split

        def sentences(path: Path) -> Sentences:
            return lambda: read_text(path, split)

        whole = sentences(train)
        parts = [
            whole if dev else lambda: (s for i, s in enumerate(whole()) if i % 10 != 9),
            sentences(dev) if dev else lambda: islice(whole(), 9, None, 10),
            sentences(test) if test else lambda: iter(()),
        ]
    vocabulary = Vocabulary(chain.from_iterable(parts[0]()), min_count, lower, max_words)
    encoded = [_encode(vocabulary, part()) for part in parts]
    for name, path, words in zip(("train", "dev", "test"), (train, dev or train, test), encoded, strict=True):
        if path and not len(words):
            few = "; without --dev every tenth sentence is taken for it" if name == "dev" and not dev else ""
            raise ValueError(f"{path}: expected sentences, one a line, got none for {name}{few}")
    if len(vocabulary) < 3:
        raise ValueError(f"min-count must leave a word to train on, and {min_count} leaves none")
    return Text(vocabulary, encoded[0], encoded[1], encoded[2], is_split)


def _encode(vocabulary: Vocabulary, sentences: Iterator[list[str]]) -> Tensor:
    """The words in a row, a 0 behind each sentence; on the disk where they are too long for memory."""
    with Growing("i") as words:
        for sentence in sentences:
            words.extend([*vocabulary.encode(sentence).tolist(), vocabulary.pad])
        return words.tensor()


def are_marks_apart(path: Path) -> bool:
    """Whether marks stand by themselves already, as in the Penn Treebank: hardly a word ends in one."""
    words = [word for sentence in islice(read_text(path), 1000) for word in sentence]
    return UNKNOWN in words or sum(bool(re.search(r"\w[,;:!?]$", word)) for word in words) <= 0.01 * len(words)


def join(words: list[str]) -> str:
    """Words as a line of text: no blank before a mark that ends something, or after one that begins something."""
    line = re.sub(r" ([,.;:!?)\]}’]+)(?= |$)", r"\1", " ".join(words))
    return re.sub(r"(^| )([(\[{‘]) ", r"\1\2", line)
