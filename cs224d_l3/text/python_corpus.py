"""Corpora that ship with Python: its language reference, tagged for code, and its docstrings.

An ambiguous word needs its context, hence windows (1.3). Paris may be a city or a person; here ``for`` is a keyword
or plain English.
"""

import ast
import random
import re
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple, TypeVar

from .corpora import OUTSIDE, Sentence, tokenize

CODE = "CODE"


class Splits(NamedTuple):
    """Train, dev and test sentences."""

    train: list[Sentence]
    dev: list[Sentence]
    test: list[Sentence]


class TextSplits(NamedTuple):
    """Train, dev and test sentences, without tags."""

    train: list[list[str]]
    dev: list[list[str]]
    test: list[list[str]]


def python_reference(seed: int = 0) -> Splits:
    """Prose of the Python language reference, every word tagged as code or not.

    ``pydoc_data.topics``, part of Python, sets code in double quotes. The quotes are removed and serve as labels:
    words within them are tagged ``CODE``, all others ``O``. Grammar, examples, tables and headings are excluded;
    paragraphs are deduplicated by their lower-cased words.

    Args:
        seed: random seed of the split by topic. Topics are assigned to test until it has 15 % of the words, then to
            dev likewise, then to train. Topics vary in size, so that dev and test may exceed 15 %.
    """
    sources = _by_source(_tagged_paragraphs(), lambda sentence: sentence.words)
    return Splits(*_split(sources, lambda sentence: len(sentence.words), 0.15, seed))


def python_documentation(seed: int = 0) -> TextSplits:
    """Prose of the language reference and of the standard library's docstrings, 310,000 words.

    Every paragraph is one sentence; paragraphs are deduplicated by their lower-cased words. Examples, tables and
    grammar are excluded. The split is by source, a topic of the reference or a file of the library, with 10 % of the
    words for test and dev each.

    Args:
        seed: random seed of the split.
    """
    reference = ((topic, sentence.words) for topic, sentence in _tagged_paragraphs())
    sources = _by_source(chain(reference, _docstring_paragraphs()), list)
    return TextSplits(*_split(sources, len, 0.1, seed))


S = TypeVar("S")


def _by_source(paragraphs: Iterable[tuple[str, S]], words: Callable[[S], list[str]]) -> dict[str, list[S]]:
    """Paragraphs by source, deduplicated by their lower-cased words.

    Paragraphs that differ only in list marks or line breaks would leak from train to test.
    """
    seen: set[tuple[str, ...]] = set()
    sources: dict[str, list[S]] = {}
    for source, paragraph in paragraphs:
        key = tuple(word.lower() for word in words(paragraph))
        if key and key not in seen:
            sources.setdefault(source, []).append(paragraph)
        seen.add(key)
    return sources


def _tagged_paragraphs() -> Iterator[tuple[str, Sentence]]:
    return ((topic, _tag_code(paragraph)) for topic, paragraph in _paragraphs() if _is_prose(paragraph))


def _docstring_paragraphs() -> Iterator[tuple[str, list[str]]]:
    for file, docstring in _docstrings():
        for paragraph in re.split(r"\n\s*\n", docstring):
            if not _is_preformatted(paragraph) and _is_english(paragraph):
                yield file, tokenize(paragraph)


def _split(
    sources: dict[str, list[S]], size: Callable[[S], int], fraction: float, seed: int
) -> tuple[list[S], list[S], list[S]]:
    """Train, dev and test: sources fill test up to its fraction of the words, then dev, then train."""
    names = sorted(sources)
    random.Random(seed).shuffle(names)
    train: list[S] = []
    dev: list[S] = []
    test: list[S] = []
    target = fraction * sum(size(s) for name in names for s in sources[name])
    for name in names:
        split = next((p for p in (test, dev) if sum(map(size, p)) < target), train)
        split.extend(sources[name])
    return train, dev, test


# folders with code that is not documentation of the library
_EXCLUDED = {"test", "tests", "idle_test", "idlelib", "lib2to3", "pydoc_data", "site-packages", "turtledemo"}


def _docstrings() -> Iterator[tuple[str, str]]:
    """(file, docstring) of the standard library, parsed from its sources without importing them."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if _EXCLUDED.isdisjoint(name.parts):
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError):  # templates, for example; ValueError: a NUL byte in Python 3.10
                continue
            yield from ((name.as_posix(), docstring) for docstring in _docstrings_in(tree))


def _docstrings_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield ast.get_docstring(node) or ""
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        for statement in getattr(node, block, ()):
            yield from _docstrings_in(statement)


def _paragraphs() -> Iterator[tuple[str, str]]:
    from pydoc_data.topics import topics  # imported lazily: half a megabyte

    for topic in sorted(topics):
        for block in re.split(r"\n\s*\n", topics[topic]):
            if block.strip():
                yield topic, re.sub(r"^(?:[*•]|\d+\.)\s+", "• ", dedent(block).strip())


_COMMON = frozenset(
    "a an and are as be by can for from has have if in is it may not of on or that the then this to used was when"
    " which will with".split()
)


def _is_prose(paragraph: str) -> bool:
    """Whether a paragraph begins like a sentence, has English outside its quotes, and is not preformatted."""
    if _is_preformatted(paragraph) or not _has_balanced_quotes(paragraph):
        return False
    plain = re.sub(r'"[^"]*"', " ", paragraph).replace("*", " ")
    return bool(re.match(r'[•"“‘(\[*A-Z]', paragraph)) and _is_english(plain)


def _is_english(text: str) -> bool:
    return not _COMMON.isdisjoint(text.split())


def _is_preformatted(paragraph: str) -> bool:
    """Whether a paragraph is grammar, an example, a table or an underlined heading."""
    has_code = any(mark in paragraph for mark in ("::=", ">>>", "(Pdb)"))
    return has_code or bool(re.search(r'^\s*(?:[-=*~^+|#"]{3,}\s*$|[+|])', paragraph, re.MULTILINE))


def _has_balanced_quotes(paragraph: str) -> bool:
    """Whether the double quotes are balanced delimiters of code, with none nested inside it."""
    parts = paragraph.split('"')
    code, text = parts[1::2], parts[::2]
    return (
        len(parts) % 2 == 1
        and all(span and span == span.strip() for span in code)
        and not any(re.match(r"\w", after) for after in text[1:])
        and not any(re.search(r"\w$", before) for before in text[:-1])
    )


def _tag_code(paragraph: str) -> Sentence:
    sentence = Sentence([], [])
    for i, part in enumerate(paragraph.removeprefix("• ").split('"')):
        is_code = i % 2 == 1
        words = tokenize(part if is_code else part.replace("*", " "))  # outside code, * is emphasis
        sentence.words.extend(words)
        sentence.tags.extend([CODE if is_code else OUTSIDE] * len(words))
    return sentence
