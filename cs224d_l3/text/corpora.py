"""Reader of plain text; the vocabulary, which maps words to indices; and the names of the other readers."""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from .._checks import check_size
from .columns import ColumnFile, Sentence, read_columns
from .lines import Source, read_lines, split_blanks
from .schemes import OUTSIDE, convert_iob, is_iob_tag
from .vectors import read_vectors

__all__ = [
    "CAPITALISATION",
    "OUTSIDE",
    "PAD",
    "UNKNOWN",
    "ColumnFile",
    "Sentence",
    "Vocabulary",
    "capitalisation",
    "convert_iob",
    "is_iob_tag",
    "read_columns",
    "read_text",
    "read_vectors",
    "split_blanks",
    "tokenize",
]

PAD, UNKNOWN = "<pad>", "<unk>"
CAPITALISATION = ("lower", "all capitals", "initial capital", "one capital", "none")


# ------------------------------------------------------------------------------------------- plain text


def tokenize(text: str) -> list[str]:
    """Split a text into tokens: words, numbers and dotted names; punctuation marks one by one."""
    return re.findall(r"\w+(?:[.'’-]\w+)*|[^\w\s]", text)


def read_text(
    path: Source, split: Callable[[str], list[str]] = str.split, longest: int = -1, encoding: str = "utf-8"
) -> Iterator[list[str]]:
    """Sentences of a text file, one a line, read lazily; empty lines are skipped.

    Args:
        path: file, or binary stream.
        split: tokenizer of a line: ``str.split``, :func:`~cs224d_l3.text.lines.split_blanks`, or :func:`tokenize`.
        longest: maximum line length in characters, which bounds the memory; longer lines are split, each part a
            sentence. -1: unlimited.
        encoding: of a file without a byte order mark.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line, bytes of another encoding; or ``longest`` below 1.
    """
    if longest != -1:
        check_size("longest", longest)
    return (words for _, line in read_lines(path, encoding, longest) if (words := split(line)))


def capitalisation(word: str) -> int:
    """Capitalisation feature of a word, an index into ``CAPITALISATION`` (Collobert et al., 2011, section 3.3.2)."""
    if word.islower():
        return 0
    if word.isupper():
        return 1
    if word[:1].isupper():
        return 2
    return 3 if any(c.isupper() for c in word) else 4


class Vocabulary:
    """Mapping from words to indices; index 0 is padding and sentence end, 1 the unknown word.

    Args:
        words: words of the training text, in any order.
        min_count: minimum count of a word.
        lower: lower-case the words; :func:`capitalisation` is the feature for what this discards.
        max_words: maximum V; the most frequent words are retained. None: unlimited.

    Attributes:
        words: words by index: padding and unknown word, then by descending count.
    """

    pad, unknown = 0, 1

    def __init__(
        self, words: Iterable[str], min_count: int = 1, lower: bool = True, max_words: int | None = None
    ) -> None:
        check_size("min_count", min_count)
        if max_words is not None:
            check_size("max_words", max_words, at_least=2)
        self.lower = lower
        counts = Counter(map(self._normalize, words))
        known = [word for word, count in counts.most_common() if count >= min_count and word not in (PAD, UNKNOWN)]
        self.words = [PAD, UNKNOWN, *known][:max_words]
        self.index = {word: i for i, word in enumerate(self.words) if i != self.pad}  # never a word of a text

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, words: Iterable[str]) -> Tensor:
        """Indices of words, (T,)."""
        return torch.tensor([self.index.get(self._normalize(word), self.unknown) for word in words], dtype=torch.int64)

    def encode_text(self, sentences: Iterable[Sequence[str]]) -> Tensor:
        """Indices of the words of all sentences, concatenated, (N,); each sentence is terminated by the padding."""
        indices = array("q")
        for sentence in sentences:
            indices.extend(self.index.get(self._normalize(word), self.unknown) for word in sentence)
            indices.append(self.pad)
        return torch.frombuffer(indices, dtype=torch.int64) if indices else torch.empty(0, dtype=torch.int64)

    def _normalize(self, word: str) -> str:
        return word.lower() if self.lower else word
