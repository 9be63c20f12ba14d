"""Train, dev and test splits of a plain text, as word indices over the vocabulary of train."""

import re
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from .arrays import ArrayBuilder
from .corpora import UNKNOWN, Vocabulary, read_text, tokenize
from .python_corpus import python_documentation

Sentences = Callable[[], Iterator[list[str]]]  # every call reads the file anew, so that no text is held as strings


class Text(NamedTuple):
    """The vocabulary, and the word indices of every split, (N,), each sentence terminated by 0."""

    vocabulary: Vocabulary
    train: Tensor
    dev: Tensor
    test: Tensor
    split_marks: bool  # whether punctuation was split from the words


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
    encoding: str = "utf-8",
) -> Text:
    """Read the splits of a text, or, without a training file, Python's documentation.

    Files are streamed twice, for the vocabulary and for the indices.

    Args:
        train: training text, one sentence a line; None: Python's documentation.
        dev: text to select the best epoch on; None: every tenth sentence of ``train``.
        test: text to test on; None: empty.
        min_count: of the :class:`Vocabulary`.
        max_words: likewise.
        lower: likewise.
        marks: whether to split punctuation from the words: "split", "keep", or "auto", if the text is not tokenized.
        seed: of the split of Python's documentation.
        encoding: of files without a byte order mark.
    """
    if train is None:
        text, is_split = python_documentation(seed), True
        splits: list[Sentences] = [lambda: iter(text.train), lambda: iter(text.dev), lambda: iter(text.test)]
    else:
        for name, file in (("train", train), ("dev", dev), ("test", test)):
            if file and file.exists() and not file.is_file():
                kind = "folder" if file.is_dir() else "pipe or device"
                raise ValueError(f"{name} must be a regular file (read twice), got {file} (a {kind})")
        is_split = not is_tokenized(train, encoding) if marks == "auto" else marks == "split"
        split = tokenize if is_split else str.split

        def sentences(path: Path) -> Sentences:
            return lambda: read_text(path, split, encoding=encoding)

        whole = sentences(train)
        splits = [
            whole if dev else lambda: (s for i, s in enumerate(whole()) if i % 10 != 9),
            sentences(dev) if dev else lambda: islice(whole(), 9, None, 10),
            sentences(test) if test else lambda: iter(()),
        ]
    vocabulary = Vocabulary(chain.from_iterable(splits[0]()), min_count, lower, max_words)
    encoded = [_encode(vocabulary, read_split()) for read_split in splits]
    for name, path, words in zip(("train", "dev", "test"), (train, dev or train, test), encoded, strict=True):
        if path and not len(words):
            hint = "; without --dev it is every tenth sentence" if name == "dev" and not dev else ""
            raise ValueError(f"{path}: expected sentences, one a line, got none for {name}{hint}")
    if len(vocabulary) < 3:
        raise ValueError(f"min-count must be at most the largest count of a word in train, got {min_count}")
    return Text(vocabulary, encoded[0], encoded[1], encoded[2], is_split)


def _encode(vocabulary: Vocabulary, sentences: Iterator[list[str]]) -> Tensor:
    """Word indices, each sentence terminated by 0; memory-mapped where they are too long for memory."""
    with ArrayBuilder("i") as words:
        for sentence in sentences:
            words.extend([*vocabulary.encode(sentence).tolist(), vocabulary.pad])
        return words.tensor()


def is_tokenized(path: Path, encoding: str = "utf-8") -> bool:
    """Whether punctuation is already split from the words, as in the Penn Treebank: at most 1 % of words end in it."""
    words = [word for sentence in islice(read_text(path, encoding=encoding), 1000) for word in sentence]
    return UNKNOWN in words or sum(bool(re.search(r"\w[,;:!?]$", word)) for word in words) <= 0.01 * len(words)


def join(words: list[str]) -> str:
    """Detokenized line of text: no blank before closing punctuation or after opening punctuation."""
    line = re.sub(r" ([,.;:!?)\]}’]+)(?= |$)", r"\1", " ".join(words))
    return re.sub(r"(^| )([(\[{‘]) ", r"\1\2", line)
