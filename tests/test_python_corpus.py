"""The corpus that ships with Python."""

from collections import Counter
from pathlib import Path

import pytest

from cs224d_l3.python_corpus import (
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


def test_no_paragraph_stands_in_two_splits_or_twice(splits: Splits) -> None:
    texts = [" ".join(s.words) for part in splits for s in part]
    assert len(texts) - len(set(texts)) < 0.01 * len(texts)  # a few differ in nothing but their list marks
    train, dev, test = ({" ".join(s.words) for s in part} for part in splits)
    assert not test & train
    assert not dev & train
    assert not dev & test


def test_marks_are_stripped_and_words_like_for_are_both(splits: Splits) -> None:
    counts = Counter(pair for part in splits for s in part for pair in zip(*s, strict=True))
    assert {tag for _, tag in counts} == {"O", "CODE"}
    assert not any(word == '"' for word, _ in counts)
    for word in ("for", "in", "with"):
        assert counts[word, "O"] > 100
        assert counts[word, "CODE"] > 5
    assert sum(word == "::=" or word == ">>>" for word, _ in counts) == 0


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


def test_the_documentation_is_a_text_of_some_size(documentation: TextSplits) -> None:
    words = [sum(map(len, part)) for part in documentation]
    assert 200_000 < sum(words) < 500_000
    assert all(0.1 * sum(words) < n < 0.2 * sum(words) for n in words[1:])


def test_documentation_is_prose_of_both_sources(documentation: TextSplits) -> None:
    texts = [[" ".join(words) for words in part] for part in documentation]
    train, dev, test = map(set, texts)
    assert test.isdisjoint(train | dev)
    assert dev.isdisjoint(train)
    everything = " ".join(train | dev | test)
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
