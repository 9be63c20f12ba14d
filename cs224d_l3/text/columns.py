"""Reader of column files: one word a line with its tag, and an empty line between sentences."""

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from .._checks import check_choice
from .lines import Source, encoding_of, read_lines
from .schemes import OUTSIDE, SCHEMES, detect
from .survey import RANGE, Row, Survey

DOCUMENT = re.compile(r"[ \t]*(?:\d+[ \t]+)?-DOCSTART-", re.IGNORECASE)


class Sentence(NamedTuple):
    """The words of a sentence and their tags, of equal number."""

    words: list[str]
    tags: list[str]


def read_columns(
    path: Source,
    *,
    encoding: str = "utf-8",
    word_column: int | None = None,
    tag_column: int | None = None,
    scheme: str = "auto",
) -> list[Sentence]:
    """All sentences of a column file, as a list; see :class:`ColumnFile`."""
    return list(ColumnFile(path, encoding=encoding, word_column=word_column, tag_column=tag_column, scheme=scheme))


class ColumnFile(Iterable[Sentence]):
    """The sentences of a column file, read lazily, any number of times.

    A column ends at a tab, or at blanks where the line has no tab; every line has as many. An empty line ends a
    sentence, and so does a line that begins with ``-DOCSTART-``, which is left out. So are comments: lines that begin
    with ``#`` at the start of a sentence and do not fit the columns and tags of the file. The file is read once for
    its columns and tags, and once for every iteration; ``str`` says what was found.

    Args:
        path: file, or binary stream.
        encoding: of a file without a byte order mark.
        word_column: number of the word's column, from 1, or from the end, from -1. None: 2 where the first column
            numbers the words, as in CoNLL-U, whose contractions and empty words are left out; otherwise 1.
        tag_column: likewise of the tag. None: the last; 4 in CoNLL-U; the last but one where these two hold the
            levels of nested entities, as in GermEval.
        scheme: tagging scheme of the file, one of ``SCHEMES``; "auto" finds it. Sentences have IOB2 or plain tags.
        tagged: whether the file has tags; otherwise all are O.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line: another number of columns, a tag of another scheme, bytes of another encoding;
            or a file without a sentence.
    """

    def __init__(
        self,
        path: Source,
        *,
        encoding: str = "utf-8",
        word_column: int | None = None,
        tag_column: int | None = None,
        scheme: str = "auto",
        tagged: bool = True,
    ) -> None:
        check_choice("scheme", scheme, SCHEMES)
        self.name = str(path) if isinstance(path, str | PathLike) else getattr(path, "name", "stream")
        self.source, self.tagged = _repeatable(path), tagged
        if self.source is not path and not isinstance(self.source, str | PathLike):
            weakref.finalize(self, self.source.close)
        self.encoding, self.found_encoding = encoding, encoding_of(self.source, encoding)
        self.survey = Survey(self.name, self._rows(), word_column, tag_column, tagged)
        self.scheme = detect(self.survey.pairs if self.survey.columns and tagged else {}, scheme)
        first = next(iter(self), None) if self.survey.columns else None
        if first is None:
            raise ValueError(f"{self.name}: expected a word{' and its tag' * tagged} a line, got no sentence")
        self.first = first

    def __iter__(self) -> Iterator[Sentence]:
        words: list[str] = []
        tags: list[str] = []
        for row in self._rows():
            if not row.fields:
                if words:
                    yield Sentence(words, self.scheme.convert(tags))
                    words, tags = [], []
            elif words or not row.begins_with_hash or not self.survey.is_comment(row, self.scheme):
                fields = self.survey.check(row)
                if not (self.survey.numbered and RANGE.fullmatch(fields[0])):
                    words.append(self._field(row, fields, "word", self.survey.word))
                    tags.append(self._tag(row, fields) if self.tagged else OUTSIDE)

    def _field(self, row: Row, fields: list[str], kind: str, column: int) -> str:
        if not fields[column]:
            raise ValueError(f"{row.place}: expected a {kind} in column {column + 1}, got none: {row.line[:60]!r}")
        return fields[column]

    def _tag(self, row: Row, fields: list[str]) -> str:
        tag = self._field(row, fields, "tag", self.survey.tag)
        if self.scheme.accepts(tag):
            return tag
        raise ValueError(
            f"{row.place}: expected a tag {self.scheme.examples}, like most of the file, got {tag[:60]!r};"
            f" scheme (--file-scheme) and tag_column (--tag-column) read other tags, the scheme plain any"
        )

    def _rows(self) -> Iterator[Row]:
        """The lines, and an empty one behind the last."""
        if not isinstance(self.source, str | PathLike):
            self.source.seek(0)
        tabs = False
        for place, line in read_lines(self.source, self.encoding):
            # blanks part the columns of a line with tabs at its end alone, unless the file has tabs
            line = line.rstrip(" " if tabs else "\t ")
            if DOCUMENT.match(line):
                fields = []
            elif "\t" in line:
                fields = [field.strip(" ") for field in line.split("\t")]
                fields = fields if any(fields) else []
                tabs = tabs or not line.startswith("#")
            else:
                fields = [field for field in line.split(" ") if field]
            yield Row(place, line, fields)
        yield Row("", "", [])

    def __str__(self) -> str:
        survey, tagged, comments = self.survey, self.tagged, self.survey.comments(self.scheme)
        words = [word if word.isprintable() and " " not in word else repr(word) for word in self.first.words]
        first = " ".join(f"{word}/{tag}" if tagged else word for word, tag in zip(words, self.first.tags, strict=True))
        return (
            f"{self.name}: word in column {survey.word + 1}{f', tag in column {survey.tag + 1}' * tagged} of"
            f" {survey.columns}, parted by {'tabs' if survey.tabs else 'blanks'};"
            f"{f' tags {self.scheme};' * tagged} {self.found_encoding};"
            f" {comments} comment{'s' * (comments != 1)} left out;"
            f" first sentence: {first if len(first) <= 120 else first[:120] + ' ...'}"
        )


def _repeatable(source: Source) -> Source:
    """A file that can be read twice: a pipe is copied into an unnamed one."""
    if isinstance(source, str | PathLike):
        path = Path(source)
        if path.is_file() or path.is_dir() or not path.exists():
            return source
        with path.open("rb") as pipe:
            return _repeatable(pipe)
    if source.seekable():
        return source
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its reader
    shutil.copyfileobj(source, copy)
    copy.seek(0)
    return copy
