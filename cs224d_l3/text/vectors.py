"""Reader of word vectors in the text formats of GloVe, word2vec and fastText."""

from array import array
from collections.abc import Container
from os import PathLike

import torch
from torch import Tensor

from .lines import read_lines, split_blanks

FLOAT32_MAX = torch.finfo(torch.float32).max


def read_vectors(
    path: str | PathLike[str], wanted: Container[str] | None = None, encoding: str = "utf-8"
) -> tuple[list[str], Tensor]:
    """Word vectors, a word and its components a line, parted by blanks or tabs; empty lines are skipped.

    A first line of two integers, ``V d``, as in word2vec and fastText, says the dimension: the last d fields of a line
    are the vector, and all before them the word. So it is in a file without it, for words of which no further part is
    a number; the first line then tells d. A word that ends at a tab may hold anything.

    Args:
        path: the file.
        wanted: words to load; None: all.
        encoding: of a file without a byte order mark.

    Returns:
        the words and their vectors, (V, d), float32.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line: a word without a vector, a component that is not a finite float32, a vector of
            another dimension than the header's or the first; or a file without a wanted word.
    """
    words: list[str] = []
    numbers = array("f")
    d, header, is_first = 0, "", True
    for location, line in read_lines(path, encoding):
        fields = split_blanks(line)
        if is_first and len(fields) == 2 and all(field.isdecimal() and field.isascii() for field in fields):
            d, header, is_first = int(fields[1]), f" as line 1 says, {line.strip()!r}", False
            continue
        if not fields:
            continue
        before_tab, tab, _ = line.strip(" \t").partition("\t")
        length = len(split_blanks(before_tab)) if tab else 1  # of the word
        d, is_first = d or len(fields) - length, False
        word, vector = fields[: max(len(fields) - d, 0)], fields[max(len(fields) - d, 0) :]
        # without a header, a number behind the word is one too many
        too_many = len(word) != length if tab else not header and any(map(_is_number, word[1:]))
        expected = f"{location}: expected a word and {d or 'its'} numbers{header},"
        if d == 0 or not word or too_many:
            raise ValueError(f"{expected} got {len(fields) - length} after {' '.join(fields[:length])[:60]!r}")
        if not all(map(_is_number, vector)):
            raise ValueError(f"{expected} got {line[:60]!r}")
        if wanted is None or " ".join(word) in wanted:
            words.append(" ".join(word))
            numbers.extend(map(float, vector))
    if not words:
        raise ValueError(f"{path}: expected vectors of {'some' if wanted is None else 'wanted'} words, got none")
    return words, torch.tensor(numbers, dtype=torch.float32).view(len(words), d)


def _is_number(field: str) -> bool:
    try:
        return abs(float(field)) <= FLOAT32_MAX  # False for NaN
    except ValueError:
        return False
