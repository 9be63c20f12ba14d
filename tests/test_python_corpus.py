"""The corpus that ships with Python."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from cs224d_l3.text.python_corpus import (
    Splits,
    TextSplits,
    _docstrings,
    _is_prose,
    _tag_code,
    python_documentation,
    python_reference,
)


@pytest.fixture(scope="module", params=[0, 1])
def splits(request: pytest.FixtureRequest) -> Splits:
    return python_reference(request.param)


def test_the_python_reference_is_a_corpus_of_some_size(splits: Splits) -> None:
    words = [sum(len(s.words) for s in part) for part in splits]
    assert 40_000 < sum(words) < 80_000
    assert words[0] > 0.5 * sum(words)
    assert min(words) > 0.1 * sum(words)


def read(words: list[str]) -> str:
    return " ".join(words).lower()


def assert_nothing_leaks(parts: Iterable[Iterable[list[str]]]) -> None:
    """No sentence twice, and none in two splits."""
    texts = [read(words) for part in parts for words in part]
    assert len(texts) == len(set(texts)) > 0


def test_no_paragraph_stands_in_two_splits_or_twice(splits: Splits) -> None:
    assert_nothing_leaks([s.words for s in part] for part in splits)


# one sentence, as it is read, in several ways of writing it
WAYS = [
    'The "with" statement is used here.',
    'The "with"\n   statement  is used here.',
    '* The "with" statement is used here.',
    '7. The "with" statement is used here.',
    'The with statement is used here.',
    'The *with* "statement" is *used* here.',
    'The "WITH" statement is used here .',
    "\u2022 The with\u00a0statement is used here.",
]  # fmt: skip


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference and a library in which every source holds a sentence of its own, and one of WAYS, twice."""
    topics = {
        f"topic {chr(97 + i)}": "\n\n".join([f'Topic {chr(97 + i)} is "its" own.', way, way])
        for i, way in enumerate(WAYS)
    }
    monkeypatch.setattr("pydoc_data.topics.topics", topics)
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": str(tmp_path)})
    for i, way in enumerate(WAYS):
        docstring = f"File {chr(97 + i)} is its own.\n\n{way}\n\nIt  is\n twice  there."
        (tmp_path / f"{chr(97 + i)}.py").write_text(f"{docstring!r}\n", encoding="utf-8")


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("seed", range(5))
def test_the_same_words_are_read_once_however_they_are_written(seed: int) -> None:
    reference = python_reference(seed)
    assert_nothing_leaks([s.words for s in part] for part in reference)
    own = [f"topic {chr(97 + i)} is its own ." for i in range(len(WAYS))]
    assert sorted(read(s.words) for part in reference for s in part) == ["the with statement is used here .", *own]
    documentation = python_documentation(seed)
    assert_nothing_leaks(documentation)
    texts = [read(words) for part in documentation for words in part]
    for sentence in ("the with statement is used here .", "it is twice there ."):
        assert texts.count(sentence) == 1
    assert len(texts) > 2 * len(WAYS)  # and in docstrings quotes are words


def test_marks_are_stripped_and_words_like_for_are_both(splits: Splits) -> None:
    counts = Counter(pair for part in splits for s in part for pair in zip(*s, strict=True))
    assert {tag for _, tag in counts} == {"O", "CODE"}
    assert not any(word == '"' for word, _ in counts)
    for word in ("for", "in", "with"):
        assert counts[word, "O"] > 100
        assert counts[word, "CODE"] > 5
    assert sum(word == "::=" or word == ">>>" for word, _ in counts) == 0


@pytest.mark.long
def test_the_split_is_repeatable_and_depends_on_the_seed() -> None:
    assert python_reference(3) == python_reference(3)
    assert python_reference(3) != python_reference(4)


def test_what_is_between_the_marks_is_code() -> None:
    sentence = _tag_code('• The "with" statement calls\n"__exit__()" *now*.')
    assert list(zip(*sentence, strict=True)) == [
        ("The", "O"), ("with", "CODE"), ("statement", "O"), ("calls", "O"), ("__exit__", "CODE"), ("(", "CODE"),
        (")", "CODE"), ("now", "O"), (".", "O"),
    ]  # fmt: skip
    long = _tag_code('It is "a * b for a in c if d" here.')
    assert long.tags == ["O"] * 2 + ["CODE"] * 9 + ["O"] * 2


@pytest.mark.parametrize(
    ("paragraph", "is_prose"),
    [
        ('The "with" statement is used.', True),
        ("• comments,", False),
        ('• a class that has been registered as\n  "collections.abc"', True),
        ('with_stmt ::= "with" the and a', False),
        (">>> a is b", False),
        ("The heading of a section\n------------------------", False),
        ("| The | table |", False),
        ('It is ""False"" if so.', False),
        ('Use "C.__dict__["x"]" for it.', False),
        ('An odd " mark in the text.', False),
        ("object.__str__(self)", False),
        ("Changed since version 3.10.", False),
    ],
)
def test_prose_is_told_from_grammar_examples_and_headings(paragraph: str, is_prose: bool) -> None:
    assert _is_prose(paragraph) is is_prose


@pytest.fixture(scope="module")
def documentation() -> TextSplits:
    return python_documentation()


@pytest.mark.long
def test_the_documentation_is_a_text_of_some_size(documentation: TextSplits) -> None:
    words = [sum(map(len, part)) for part in documentation]
    assert 200_000 < sum(words) < 500_000
    assert all(0.1 * sum(words) < n < 0.2 * sum(words) for n in words[1:])


@pytest.mark.long
def test_documentation_is_prose_of_both_sources(documentation: TextSplits) -> None:
    assert_nothing_leaks(documentation)
    everything = " ".join(" ".join(words) for part in documentation for words in part)
    assert "The with statement is used to wrap the execution of a block" in everything  # the reference
    assert "itertools" in everything
    assert ">>>" not in everything
    assert all(len(words) for part in documentation for words in part)


def test_docstrings_are_found_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "out.py").write_text('"""Not a part of the library."""')
    (tmp_path / "broken.py").write_text("def f(:")
    (tmp_path / "module.py").write_text(
        '"""One is here."""\nif 1:\n    def f():\n        """Two is here."""\n        "no docstring"\n'
        'try:\n    pass\nexcept E:\n    class C:\n        async def g():\n            """Three is here."""\n'
    )
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": tmp_path})
    found = [docstring for _, docstring in _docstrings() if docstring]
    assert found == ["One is here.", "Two is here.", "Three is here."]
