"""First reading of a column file: its columns, the tags in them, and which lines are comments."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from .schemes import OUTSIDE, Scheme, form_of, is_iob_tag

CONLL_U, UPOS = 10, 3  # number of columns of CoNLL-U, and index of its tags
MISC = re.compile(r"_|[^=]+=.*")  # its last column
RANGE = re.compile(r"\d+[-.]\d+")  # its number of a contraction, 3-4, or of an empty word, 3.1
MOST_TAGS = 2**15 - 1  # a trainer holds a tag in 16 bits


class Row(NamedTuple):
    """A line with its fields; none where a sentence ends."""

    place: str
    line: str
    fields: list[str]

    @property
    def has_tab(self) -> bool:
        return "\t" in self.line

    @property
    def begins_with_hash(self) -> bool:
        return self.fields[0].startswith("#")

    def fit(self, columns: int) -> list[str]:
        """The fields, without empty ones behind the last column."""
        count = len(self.fields)
        while count > columns and not self.fields[count - 1]:
            count -= 1
        return self.fields[:count]


class Survey:
    """What a first reading finds; every later one asks it for the columns of a line.

    Args:
        name: the file's, for messages.
        rows: its lines.
        word: column of the words, from 1, or from the end, from -1. None: found.
        tag: likewise of the tags.
        tagged: whether there must be tags.

    Attributes:
        columns: their number.
        tabs: whether tabs part them.
        numbered: whether the first column counts the words.
        word: index of the words' column.
        tag: index of the tags' column.
        pairs: how often a tag follows another; O stands before a sentence.
    """

    def __init__(self, name: str, rows: Iterable[Row], word: int | None, tag: int | None, tagged: bool) -> None:
        self.name, self.tagged, self._given = name, tagged, tag
        self.columns, self.tabs, self._first = 0, False, ""
        self._pairs: defaultdict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._tags: defaultdict[int, set[str]] = defaultdict(set)
        self._candidates: set[int] = set()
        self._misfits, self._fitting = 0, Counter[tuple[bool, str]]()
        self._count, self._sentences, self._before = -1, 0, dict[int, str]()
        self._counts = self._integers = self._tag_like = True  # of the first column, so far
        self._inside, self._first_numbers = False, tuple[str, ...](("0", "1"))
        held = []
        for row in rows:
            if not row.fields:
                self._end_sentence()
            elif self._inside or not row.begins_with_hash:
                self._word(row)
            elif self.columns:
                self._comment(row)
            else:
                held.append(row)
        only = not self.columns  # every sentence begins with #: they are words
        for row in reversed(held):
            self._end_sentence()
            self._word(row) if only else self._comment(row)
        self.numbered = self._counts and (self.columns > 2 or self._sentences > 1)
        if self.columns:
            self.word, self.tag = self._word_index(word), self._tag_index(tag)
            self._check_columns(word)
            self.pairs = self._pairs[self.tag]

    # --------------------------------------------------------------------------------------------- lines

    def check(self, row: Row) -> list[str]:
        """The fields of a line, which must be as many as in the first.

        Raises:
            ValueError: with file and line, otherwise.
        """
        fields, least = row.fit(self.columns or 1), 2 if self.tagged else 1
        if len(fields) == self.columns >= least or (not self.columns and len(fields) >= least):
            return fields
        expected = f"{self.columns} columns, as in line {self._first}" if self.columns else f"{least} columns or more"
        hint = ""
        if row.line.startswith("#"):
            hint = "; comments are left out at the start of a sentence only"
        elif len(fields) == 1 and re.search("[,;]", row.line):
            hint = "; tabs or blanks part columns, commas do not"
        message = f"expected {expected}, word and tag among them, got {len(fields)}: {row.line[:60]!r}{hint}"
        raise ValueError(f"{row.place}: {message}")

    def _word(self, row: Row) -> None:
        fields = self.check(row)
        if not self.columns:
            self._begin(row, len(fields))
        self._sentences += not self._inside
        self._follow(fields[0])
        if not (self._counts and self.columns > 2 and RANGE.fullmatch(fields[0])):
            for column in self._candidates:
                self._add(column, fields[column])
        self._inside = True

    def _begin(self, row: Row, columns: int) -> None:
        self.columns, self.tabs, self._first = columns, row.has_tab, row.place.rsplit(":", 1)[-1]
        self._candidates = {columns - 1}
        if self._given is not None:
            self._candidates = {self._index("tag", self._given)}
        elif columns > 2:
            self._candidates |= {columns - 2} | ({UPOS} if columns == CONLL_U else set())

    def _add(self, column: int, tag: str) -> None:
        if tag and len(self._tags[column]) <= MOST_TAGS:
            self._pairs[column][self._before.get(column, OUTSIDE), tag] += 1
            self._tags[column].add(tag)
            self._before[column] = tag

    def _follow(self, field: str) -> None:
        """Whether the first column counts on, or anew in each sentence; and whether it looks like tags."""
        self._tag_like = self._tag_like and (field == OUTSIDE or is_iob_tag(field))
        if RANGE.fullmatch(field):
            return
        field = field.rstrip(".)")
        self._integers = self._integers and field.isdecimal()
        self._counts = self._counts and field in {str(self._count + 1), *self._first_numbers}
        self._count, self._first_numbers = int(field) if self._counts else -1, ()

    def _end_sentence(self) -> None:
        self._inside, self._before, self._first_numbers = False, {}, ("0", "1")

    # ------------------------------------------------------------------------------------------- columns

    def _index(self, kind: str, number: int) -> int:
        """Index of a column given by its number."""
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= abs(number) <= self.columns:
            raise ValueError(
                f"{self.name}: {kind}_column (--{kind}-column) must lie in 1 to {self.columns}, or count from the end,"
                f" from -1 to {-self.columns}, got {number!r}"
            )
        return number - 1 if number > 0 else number + self.columns

    def _word_index(self, given: int | None) -> int:
        return int(self.numbered and self.columns > 1) if given is None else self._index("word", given)

    def _tag_index(self, given: int | None) -> int:
        last = self.columns - 1
        if given is not None:
            return self._index("tag", given)
        if self.numbered and self.columns == CONLL_U and all(map(MISC.fullmatch, self._tags[last])):
            return UPOS
        outer, inner = self._types(last - 1), self._types(last)
        if outer and inner is not None and (outer & inner or (self.numbered and "NP" not in outer)):
            return last - 1  # nested entities; NP are chunks, as in CoNLL-2003
        return last

    def _types(self, column: int) -> set[str] | None:
        """Types of the entities in a column; None if it has other tags."""
        tags = self._tags.get(column, set()) - {OUTSIDE}
        return {tag[2:] for tag in tags} if all(map(is_iob_tag, tags)) else None

    def _check_columns(self, word: int | None) -> None:
        """Refuse what can be no word or no tag."""
        column = self.word + 1
        if not self.tagged:
            return
        if self.word == self.tag:
            raise ValueError(
                f"{self.name}: word and tag must stand in two columns, got {column} for both;"
                f" word_column and tag_column (--word-column, --tag-column) choose them"
            )
        if word is None and self._integers and self.columns > 2 and not self.numbered:
            raise ValueError(
                f"{self.name}: expected words in column 1, got numbers only, which do not count the words;"
                f" word_column (--word-column) chooses another column, or this one"
            )
        tags = self._tags[self.tag]
        if word is None and self._tag_like and not all(tag == OUTSIDE or is_iob_tag(tag) for tag in tags):
            raise ValueError(
                f"{self.name}: expected words in column {column}, got tags, and others in column {self.tag + 1};"
                f" word_column and tag_column (--word-column, --tag-column) choose others"
            )
        wrong = ""
        if tags <= {"_", "-", "*"}:
            wrong = f"{min(tags, default='_')!r} only"
        elif len(tags) > MOST_TAGS:
            wrong = f"more than {MOST_TAGS:,} different ones"
        elif not self.tabs and all("," in tag and len(tag) > 1 for tag in tags):
            wrong = f"{min(tags)[:60]!r}: tabs or blanks part columns, commas do not"
        if wrong:
            raise ValueError(
                f"{self.name}: expected tags in column {self.tag + 1} of {self.columns}, got {wrong};"
                f" tag_column (--tag-column) chooses another column"
            )

    # ------------------------------------------------------------------------------------------ comments

    def _comment(self, row: Row) -> None:
        """A line that begins with # at the start of a sentence: a comment if it does not fit; or else perhaps."""
        fields = row.fit(self.columns)
        if len(fields) != self.columns:
            self._misfits += 1
            return
        unlike, tag = self._look(row)
        self._fitting[unlike, tag] += 1
        if not unlike and (tag == OUTSIDE or form_of(tag)):  # a word: its tag counts
            self._add(self._tag_guess, tag)
            self._sentences += 1
            self._inside = True

    def _look(self, row: Row) -> tuple[bool, str]:
        """Whether a line looks unlike the others, and its tag."""
        return row.has_tab != self.tabs or " " in row.fields[0], row.fit(self.columns)[self._tag_guess]

    @property
    def _tag_guess(self) -> int:
        return self._index("tag", -1 if self._given is None else self._given)

    def is_comment(self, row: Row, scheme: Scheme) -> bool:
        """Whether a line that begins with # at the start of a sentence does not fit the columns and the tags."""
        return len(row.fit(self.columns)) != self.columns or self._is_comment(*self._look(row), scheme)

    def _is_comment(self, unlike: bool, tag: str, scheme: Scheme) -> bool:
        unknown = tag not in self._tags[self._tag_guess]
        return self.numbered or not scheme.accepts(tag) or (unlike and unknown)

    def comments(self, scheme: Scheme) -> int:
        """Number of comments."""
        return self._misfits + sum(n for look, n in self._fitting.items() if self._is_comment(*look, scheme))
