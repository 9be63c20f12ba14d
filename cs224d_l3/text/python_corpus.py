"""Text that ships with Python: the prose of its language reference, with what is code in it, and its docstrings.

A word that is sometimes one thing and sometimes another is the reason for windows (1.3). Paris may be a city or
a person; here ``for`` is now a keyword, now plain English, and only its neighbours tell.
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
    """Sentences to train on, to choose by, and to judge by."""

    train: list[Sentence]
    dev: list[Sentence]
    test: list[Sentence]


class TextSplits(NamedTuple):
    """The same without tags."""

    train: list[list[str]]
    dev: list[list[str]]
    test: list[list[str]]


def python_reference(seed: int = 0) -> Splits:
    """The prose of the Python language reference, every word tagged: is it code?

    ``pydoc_data.topics``, which comes with Python, sets code in double quotes. The quotes are stripped and are
    what is to be predicted: words in them are tagged ``CODE``, all others ``O``. Grammar, examples, tables and
    headings are left out; of paragraphs with the same words, in small letters, the first counts.

    Args:
        seed: of the split by topic. Topics go to test until it has 15 % of the words, then to dev likewise; the
            rest is to train on. Topics are of very different sizes, so that dev and test may become larger.
    """
    sources = _by_source(_tagged_paragraphs(), lambda sentence: sentence.words)
    return Splits(*_split(sources, lambda sentence: len(sentence.words), 0.15, seed))


def python_documentation(seed: int = 0) -> TextSplits:
    """The prose of the language reference and of the standard library's docstrings: 310,000 words about Python.

    One sentence is a paragraph; of those with the same words, in small letters, the first counts. Examples, tables
    and grammar are left out. The split is by source, a topic of the reference or a file of the library, 10 % of the
    words for test and dev each.

    Args:
        seed: of the split.
    """
    reference = ((topic, sentence.words) for topic, sentence in _tagged_paragraphs())
    sources = _by_source(chain(reference, _docstring_paragraphs()), list)
    return TextSplits(*_split(sources, len, 0.1, seed))


S = TypeVar("S")


def _by_source(paragraphs: Iterable[tuple[str, S]], words: Callable[[S], list[str]]) -> dict[str, list[S]]:
    """The paragraphs of every source. What has been read once is not read again: paragraphs may differ in characters,
    a list mark or the place of a line's end, and be the same words, learnt from one source and judged by in another."""
    seen: set[tuple[str, ...]] = set()
    sources: dict[str, list[S]] = {}
    for source, paragraph in paragraphs:
        read = tuple(word.lower() for word in words(paragraph))
        if read and read not in seen:
            sources.setdefault(source, []).append(paragraph)
        seen.add(read)
    return sources


def _tagged_paragraphs() -> Iterator[tuple[str, Sentence]]:
    return ((topic, _tag_code(paragraph)) for topic, paragraph in _paragraphs() if _is_prose(paragraph))


def _docstring_paragraphs() -> Iterator[tuple[str, list[str]]]:
    for file, docstring in _docstrings():
        for paragraph in re.split(r"\n\s*\n", docstring):
            if not _is_drawn(paragraph) and _is_english(paragraph):
                yield file, tokenize(paragraph)


def _split(
    sources: dict[str, list[S]], size: Callable[[S], int], share: float, seed: int
) -> tuple[list[S], list[S], list[S]]:
    """Train, dev and test: sources go to test until it has its share of the words, then to dev, then to train."""
    names = sorted(sources)
    random.Random(seed).shuffle(names)
    train: list[S] = []
    dev: list[S] = []
    test: list[S] = []
    enough = share * sum(size(s) for name in names for s in sources[name])
    for name in names:
        part = next((p for p in (test, dev) if sum(map(size, p)) < enough), train)
        part.extend(sources[name])
    return train, dev, test


# outside the library proper, or not its documentation
_LEFT_OUT = {"test", "tests", "idle_test", "idlelib", "lib2to3", "pydoc_data", "site-packages", "turtledemo"}


def _docstrings() -> Iterator[tuple[str, str]]:
    """The docstrings of the standard library's source, file by file; nothing is imported."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if _LEFT_OUT.isdisjoint(name.parts):
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError):  # a template of a program, say; ValueError is a NUL in Python 3.10
                continue
            yield from ((name.as_posix(), docstring) for docstring in _docstrings_in(tree))


def _docstrings_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield ast.get_docstring(node) or ""
    for block in ("body", "orelse", "handlers", "finalbody", "cases"):
        for statement in getattr(node, block, ()):
            yield from _docstrings_in(statement)


def _paragraphs() -> Iterator[tuple[str, str]]:
    from pydoc_data.topics import topics  # here, for it is half a megabyte that most programs never need

    for topic in sorted(topics):
        for block in re.split(r"\n\s*\n", topics[topic]):
            if block.strip():
                yield topic, re.sub(r"^(?:[*•]|\d+\.)\s+", "• ", dedent(block).strip())


_COMMON = frozenset(
    "a an and are as be by can for from has have if in is it may not of on or that the then this to used was when"
    " which will with".split()
)


def _is_prose(paragraph: str) -> bool:
    """It begins like a sentence, says something in plain English, and is no grammar, example, table or heading."""
    if _is_drawn(paragraph) or not _marks_are_plain(paragraph):
        return False
    plain = re.sub(r'"[^"]*"', " ", paragraph).replace("*", " ")
    return bool(re.match(r'[•"“‘(\[*A-Z]', paragraph)) and _is_english(plain)


def _is_english(text: str) -> bool:
    return not _COMMON.isdisjoint(text.split())


def _is_drawn(paragraph: str) -> bool:
    """It is grammar, an example, a table or an underlined heading."""
    signs = any(sign in paragraph for sign in ("::=", ">>>", "(Pdb)"))
    return signs or bool(re.search(r'^\s*(?:[-=*~^+|#"]{3,}\s*$|[+|])', paragraph, re.MULTILINE))


def _marks_are_plain(paragraph: str) -> bool:
    """Quotes come in pairs around code: none inside of it, where it would be read as an end."""
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
