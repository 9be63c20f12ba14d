"""Real text from files: tagged columns, plain text, word vectors; and the vocabulary that makes numbers of it."""

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
    """Words and their tags, one each."""

    words: list[str]
    tags: list[str]


# ---------------------------------------------------------------------------------------------- columns


def read_columns(path: str | PathLike[str]) -> list[Sentence]:
    """All sentences of :func:`stream_columns`."""
    return list(stream_columns(path))


def stream_columns(path: str | PathLike[str]) -> Iterator[Sentence]:
    """A file with one word a line: the word first, its tag last, blanks between; an empty line ends a sentence.
    The file is read as the sentences are.

    Two columns, or the four of the CoNLL-2003 shared task, or any number, but the same in every line.
    Lines that begin with ``-DOCSTART-`` are skipped. Tags are ``O``, or IOB (``B-PER``, ``I-PER``), or plain
    (``PER``); see :func:`convert_iob` for the two ways of IOB.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line, a line of another number of columns, a tag of another scheme than
            the tags before it, bytes that are not UTF-8; or a file without a sentence.
    """
    words: list[str] = []
    tags: list[str] = []
    columns = found = 0
    iob: bool | None = None
    for place, line in _lines(path):
        fields = line.split()
        if fields and not fields[0].startswith("-DOCSTART-"):
            columns = columns or len(fields)
            if len(fields) < 2 or len(fields) != columns:
                raise ValueError(
                    f"{place}: expected {max(columns, 2)} columns, word first and tag last, got {line[:60]!r}"
                )
            tag = fields[-1]
            if tag != OUTSIDE:
                is_iob = is_iob_tag(tag)
                if iob not in (None, is_iob) or re.match(r"[ESLU]-.", tag):
                    scheme = "O, B-... or I-..." if iob or iob is None else "plain, as the tags before it are"
                    raise ValueError(f"{place}: a tag must be {scheme}, got {tag!r}")
                iob = is_iob
            words.append(fields[0])
            tags.append(tag)
        elif words:
            yield Sentence(words, tags)
            words, tags, found = [], [], found + 1
    if words:
        yield Sentence(words, tags)
    elif not found:
        raise ValueError(f"{path}: expected words and tags, one pair a line, got no sentence")


def is_iob_tag(tag: str) -> bool:
    """Is it B-... or I-...?"""
    return tag.startswith(("B-", "I-")) and len(tag) > 2


def convert_iob(tags: Sequence[str], scheme: str) -> list[str]:
    """The same entities in the other way of IOB; plain tags stay as they are.

    "IOB2" begins every entity with B-. "IOB1" writes B- only where an entity follows another of its own type
    at once. Either is read: an entity begins at B-, and at an I- that follows no tag of its type.
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
    """Words, numbers and dotted names whole; every other mark by itself."""
    return re.findall(r"\w+(?:[.'’-]\w+)*|[^\w\s]", text)


def read_text(
    path: str | PathLike[str] | BinaryIO, split: Callable[[str], list[str]] = str.split, longest: int = -1
) -> Iterator[list[str]]:
    """The sentences of a text file, one a line; empty lines are skipped. The file is read as the sentences are.

    Args:
        path: the file, or a stream of bytes.
        split: makes words of a line: those set apart by blanks, or :func:`tokenize`.
        longest: a line of more bytes is read in pieces, each a sentence, so that the memory is bounded; -1 for none.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line, bytes that are no UTF-8 text; a longest line of less than 4 bytes.
    """
    if longest != -1:
        check_size("longest", longest, at_least=4)  # a character has up to four bytes
    return (words for _, line in _lines(path, longest) if (words := split(line)))


def capitalisation(word: str) -> int:
    """How a word is written, as an index into ``CAPITALISATION`` (Collobert et al., 2011, section 3.3.2)."""
    if word.islower():
        return 0
    if word.isupper():
        return 1
    if word[:1].isupper():
        return 2
    return 3 if any(c.isupper() for c in word) else 4


class Vocabulary:
    """Words with their indices: 0 stands beyond a sentence's ends, 1 for every word that is not in it.

    Args:
        words: the text, word by word.
        min_count: words seen less often are left out.
        lower: capitals do not count; :func:`capitalisation` keeps what that loses.
        max_words: the largest V; words seen least often are left out first. None for no limit.

    Attributes:
        words: by index; after the two that stand for others, those counted most often first.
    """

    pad, unknown = 0, 1

    def __init__(
        self, words: Iterable[str], min_count: int = 1, lower: bool = True, max_words: int | None = None
    ) -> None:
        check_size("min_count", min_count)
        if max_words is not None:
            check_size("max_words", max_words, at_least=2)
        self.lower = lower
        counts = Counter(map(self._form, words))
        known = [word for word, count in counts.most_common() if count >= min_count and word not in (PAD, UNKNOWN)]
        self.words = [PAD, UNKNOWN, *known][:max_words]
        self.index = {word: i for i, word in enumerate(self.words) if i != self.pad}  # which is no word of a text

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, words: Iterable[str]) -> Tensor:
        """Their indices, (T,)."""
        return torch.tensor([self.index.get(self._form(word), self.unknown) for word in words], dtype=torch.int64)

    def encode_text(self, sentences: Iterable[Sequence[str]]) -> Tensor:
        """The words of all sentences in a row, (N,), 0 at the end of each: what stands beyond a sentence's end."""
        indices = array("q")
        for sentence in sentences:
            indices.extend(self.index.get(self._form(word), self.unknown) for word in sentence)
            indices.append(self.pad)
        return torch.frombuffer(indices, dtype=torch.int64) if indices else torch.empty(0, dtype=torch.int64)

    def _form(self, word: str) -> str:
        return word.lower() if self.lower else word


# ----------------------------------------------------------------------------------------- word vectors


def read_vectors(path: str | PathLike[str], wanted: Container[str] | None = None) -> tuple[list[str], Tensor]:
    """Word vectors in GloVe's text form: a word and its numbers a line; word2vec's first line is skipped.

    Args:
        path: the file.
        wanted: keep these words alone; all, if left out.

    Returns:
        the words and their vectors, (V, d), float32.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line, a word without numbers, a number that is none, a vector longer or shorter
            than the first; or a file in which no wanted word has a vector.
    """
    words: list[str] = []
    numbers = array("f")
    d = 0
    for place, line in _lines(path):
        word, *fields = line.rstrip().split(" ")
        if not d and len(fields) == 1 and word.isdigit() and fields[0].isdigit():
            continue
        d = d or len(fields)
        # a few words of the large GloVe files hold blanks themselves: the vector is the last d fields
        more = fields[: max(len(fields) - d, 0)]
        if len(fields) < d or d == 0 or any(map(_is_number, more)):
            raise ValueError(f"{place}: expected a word and {d or 'its'} numbers, got {len(fields)} after {word!r}")
        word, fields = " ".join([word, *more]), fields[len(more) :]
        if not all(map(_is_number, fields)):
            raise ValueError(f"{place}: expected a word and {d} numbers, got {line[:60]!r}")
        if wanted is None or word in wanted:
            words.append(word)
            numbers.extend(map(float, fields))
    if not words:
        raise ValueError(f"{path}: expected vectors of {'some' if wanted is None else 'wanted'} words, got none")
    return words, torch.tensor(numbers, dtype=torch.float32).view(len(words), d)


def _is_number(field: str) -> bool:
    try:
        return abs(float(field)) <= FLOAT32_MAX  # nan is not
    except ValueError:
        return False


# ------------------------------------------------------------------------------------------------ files


def _lines(source: str | PathLike[str] | BinaryIO, longest: int = -1) -> Iterator[tuple[str, str]]:
    """The lines of a UTF-8 file, each with its place, "file:line", for messages; longer ones in pieces."""
    with Path(source).open("rb") if isinstance(source, (str, PathLike)) else nullcontext(source) as file:
        name = source if isinstance(source, (str, PathLike)) else getattr(source, "name", "stream")
        number, rest, codec = 1, b"", "utf-8-sig"
        while line := rest + file.readline(longest):
            line, rest = _cut(line) if 0 < longest <= len(line) and not line.endswith(b"\n") else (line, b"")
            try:
                text = line.decode(codec)
            except UnicodeDecodeError as error:
                wrong = error.object[error.start]
                raise ValueError(f"{name}:{number}: expected UTF-8 text, got the byte {wrong:#04x}") from None
            if "\0" in text:  # which UTF-8 allows and no text has
                raise ValueError(f"{name}:{number}: expected UTF-8 text, got the byte 0x00")
            yield f"{name}:{number}", text.rstrip("\r\n")
            number, codec = number + line.endswith(b"\n"), "utf-8"


def _cut(line: bytes) -> tuple[bytes, bytes]:
    """In two, behind the last blank; or else before the last character."""
    at = max(line.rfind(b" "), line.rfind(b"\t")) + 1
    if at == 0:
        at = len(line) - 1
        while at > 1 and line[at] & 0xC0 == 0x80:  # within a character
            at -= 1
    return line[:at], line[at:]
