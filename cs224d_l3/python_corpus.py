"""A tagged corpus that ships with Python: the prose of its language reference, with what is code in it.

A word that is sometimes one thing and sometimes another is the reason for windows (1.3). Paris may be a city or
a person; here ``for`` is now a keyword, now plain English, and only its neighbours tell.
"""

import random
import re
from collections.abc import Iterable, Iterator
from textwrap import dedent
from typing import NamedTuple

from .corpora import OUTSIDE, Sentence, tokenize

CODE = "CODE"


class Splits(NamedTuple):
    """Sentences to train on, to choose by, and to judge by."""

    train: list[Sentence]
    dev: list[Sentence]
    test: list[Sentence]


def python_reference(seed: int = 0) -> Splits:
    """The prose of the Python language reference, every word tagged: is it code?

    ``pydoc_data.topics``, which comes with Python, sets code in double quotes. The quotes are stripped and are
    what is to be predicted: words in them are tagged ``CODE``, all others ``O``. Grammar, examples, tables and
    headings are left out; a paragraph that stands in several topics counts once, in the first of them.

    Args:
        seed: of the split by topic. Topics go to test until it has 15 % of the words, then to dev likewise; the
            rest is to train on. Topics are of very different sizes, so that dev and test may become larger.
    """
    topics: dict[str, list[Sentence]] = {}
    seen: set[str] = set()
    for topic, paragraph in _paragraphs():
        key = " ".join(paragraph.split())
        if key not in seen and _is_prose(paragraph):
            topics.setdefault(topic, []).append(_tag_code(paragraph))
        seen.add(key)
    names = sorted(topics)
    random.Random(seed).shuffle(names)
    splits = Splits([], [], [])
    enough = 0.15 * sum(map(_count_words, topics.values()))
    for name in names:
        part = next((p for p in (splits.test, splits.dev) if _count_words(p) < enough), splits.train)
        part.extend(topics[name])
    return splits


def _count_words(sentences: Iterable[Sentence]) -> int:
    return sum(len(sentence.words) for sentence in sentences)


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
    if any(sign in paragraph for sign in ("::=", ">>>", "(Pdb)")) or not _marks_are_plain(paragraph):
        return False
    if re.search(r'^\s*(?:[-=*~^+|#"]{3,}\s*$|[+|])', paragraph, re.MULTILINE):
        return False
    plain = re.sub(r'"[^"]*"', " ", paragraph).replace("*", " ")
    return bool(re.match(r'[•"“‘(\[*A-Z]', paragraph)) and not _COMMON.isdisjoint(plain.split())


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
