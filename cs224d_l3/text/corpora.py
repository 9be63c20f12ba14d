"""Readers of column files, plain text and word vectors; and the vocabulary, which maps words to indices."""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple

import torch
from torch import Tensor

from .._checks import check_choice, check_size

OUTSIDE = "O"
PAD, UNKNOWN = "<pad>", "<unk>"
FLOAT32_MAX = torch.finfo(torch.float32).max
CAPITALISATION = ("lower", "all capitals", "initial capital", "one capital", "none")


class Sentence(NamedTuple):
    """The words of a sentence and their tags, of equal number."""

    words: list[str]
    tags: list[str]


# ---------------------------------------------------------------------------------------------- columns


def read_columns(path: str | PathLike[str]) -> list[Sentence]:
    """All sentences of a column file, as a list; see :func:`stream_columns`."""
    return list(stream_columns(path))


def stream_columns(path: str | PathLike[str]) -> Iterator[Sentence]:
    """Sentences of a column file, read lazily.

    One word a line: the word in the first column, its tag in the last, separated by whitespace; an empty line ends a
    sentence. Two columns, the four of the CoNLL-2003 shared task, or any other number, the same in every line.
    Lines that begin with ``-DOCSTART-`` are skipped. Tags are ``O``, or IOB (``B-PER``, ``I-PER``), or plain
    (``PER``); see :func:`convert_iob` for the two IOB schemes.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line: a wrong number of columns, mixed tagging schemes, invalid UTF-8; or a file
            without a sentence.
    """
    words: list[str] = []
    tags: list[str] = []
    columns = found = 0
    iob: bool | None = None
    for location, line in _lines(path):
        fields = line.split()
        if fields and not fields[0].startswith("-DOCSTART-"):
            columns = columns or len(fields)
            if len(fields) < 2 or len(fields) != columns:
                raise ValueError(
                    f"{location}: expected {max(columns, 2)} columns, word first and tag last, got {line[:60]!r}"
                )
            tag = fields[-1]
            if tag != OUTSIDE:
                is_iob = is_iob_tag(tag)
                if iob not in (None, is_iob) or re.match(r"[ESLU]-.", tag):
                    scheme = "O, B-... or I-..." if iob or iob is None else "plain, like those before it"
                    raise ValueError(f"{location}: a tag must be {scheme}, got {tag!r}")
                iob = is_iob
            words.append(fields[0])
            tags.append(tag)
        elif words:
            yield Sentence(words, tags)
            words, tags, found = [], [], found + 1
    if words:
        yield Sentence(words, tags)
    elif not found:
        raise ValueError(f"{path}: expected a word and its tag a line, got no sentence")


def is_iob_tag(tag: str) -> bool:
    """Whether a tag is B-... or I-...."""
    return tag.startswith(("B-", "I-")) and len(tag) > 2


def convert_iob(tags: Sequence[str], scheme: str) -> list[str]:
    """Convert tags to one of the two IOB schemes; plain tags are unchanged.

    "IOB2" begins every entity with B-; "IOB1" only an entity that directly follows another of the same type. Both
    are accepted: an entity begins at B-, and at an I- that does not follow a tag of its type.
    """
    check_choice("scheme", scheme, ("IOB1", "IOB2"))
    converted = []
    previous = OUTSIDE
    for tag in tags:
        if is_iob_tag(tag):
            follows = previous != OUTSIDE and previous[1:] == tag[1:]
            begins = tag[0] == "B" or not follows
            converted.append(("B" if begins and (scheme == "IOB2" or follows) else "I") + tag[1:])
        else:
            converted.append(tag)
        previous = tag
    return converted


# ------------------------------------------------------------------------------------------- plain text


def tokenize(text: str) -> list[str]:
    """Split a text into tokens: words, numbers and dotted names; punctuation marks one by one."""
    return re.findall(r"\w+(?:[.'’-]\w+)*|[^\w\s]", text)


def read_text(
    path: str | PathLike[str] | BinaryIO, split: Callable[[str], list[str]] = str.split, longest: int = -1
) -> Iterator[list[str]]:
    """Sentences of a text file, one a line, read lazily; empty lines are skipped.

    Args:
        path: file, or binary stream.
        split: tokenizer of a line: ``str.split``, or :func:`tokenize`.
        longest: maximum line length in bytes, which bounds the memory; longer lines are split, each part a sentence.
            -1: unlimited.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line, invalid UTF-8; or ``longest`` below 4.
    """
    if longest != -1:
        check_size("longest", longest, at_least=4)  # bytes of the longest UTF-8 character
    return (words for _, line in _lines(path, longest) if (words := split(line)))


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


# ----------------------------------------------------------------------------------------- word vectors


def read_vectors(path: str | PathLike[str], wanted: Container[str] | None = None) -> tuple[list[str], Tensor]:
    """Word vectors in GloVe's text format, a word and its components a line; word2vec's header line is skipped.

    Args:
        path: the file.
        wanted: words to load; None: all.

    Returns:
        the words and their vectors, (V, d), float32.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line: a word without a vector, a component that is not a finite float32, a vector of
            another dimension than the first; or a file without a wanted word.
    """
    words: list[str] = []
    numbers = array("f")
    d = 0
    for location, line in _lines(path):
        word, *fields = line.rstrip().split(" ")
        if not d and len(fields) == 1 and word.isdigit() and fields[0].isdigit():
            continue
        d = d or len(fields)
        # a few words of the large GloVe files contain spaces: the vector is the last d fields
        more = fields[: max(len(fields) - d, 0)]
        if len(fields) < d or d == 0 or any(map(_is_number, more)):
            raise ValueError(f"{location}: expected a word and {d or 'its'} numbers, got {len(fields)} after {word!r}")
        word, fields = " ".join([word, *more]), fields[len(more) :]
        if not all(map(_is_number, fields)):
            raise ValueError(f"{location}: expected a word and {d} numbers, got {line[:60]!r}")
        if wanted is None or word in wanted:
            words.append(word)
            numbers.extend(map(float, fields))
    if not words:
        raise ValueError(f"{path}: expected vectors of {'some' if wanted is None else 'wanted'} words, got none")
    return words, torch.tensor(numbers, dtype=torch.float32).view(len(words), d)


def _is_number(field: str) -> bool:
    try:
        return abs(float(field)) <= FLOAT32_MAX  # False for NaN
    except ValueError:
        return False


# ------------------------------------------------------------------------------------------------ files


def _lines(source: str | PathLike[str] | BinaryIO, longest: int = -1) -> Iterator[tuple[str, str]]:
    """(location, line) of a UTF-8 file: the location, "file:line", is for messages; ``longest`` as in `read_text`."""
    with Path(source).open("rb") if isinstance(source, (str, PathLike)) else nullcontext(source) as file:
        name = source if isinstance(source, (str, PathLike)) else getattr(source, "name", "stream")
        number, rest, codec = 1, b"", "utf-8-sig"
        while line := rest + file.readline(longest):
            line, rest = _split_line(line) if 0 < longest <= len(line) and not line.endswith(b"\n") else (line, b"")
            try:
                text = line.decode(codec)
            except UnicodeDecodeError as error:
                wrong = error.object[error.start]
                raise ValueError(f"{name}:{number}: expected UTF-8 text, got the byte {wrong:#04x}") from None
            if "\0" in text:  # valid UTF-8, but a binary file
                raise ValueError(f"{name}:{number}: expected UTF-8 text, got the byte 0x00")
            yield f"{name}:{number}", text.rstrip("\r\n")
            number, codec = number + line.endswith(b"\n"), "utf-8"


def _split_line(line: bytes) -> tuple[bytes, bytes]:
    """Split an overlong line after its last blank, or, without a blank, before its last character."""
    at = max(line.rfind(b" "), line.rfind(b"\t")) + 1
    if at == 0:
        at = len(line) - 1
        while at > 1 and line[at] & 0xC0 == 0x80:  # a continuation byte
            at -= 1
    return line[:at], line[at:]
