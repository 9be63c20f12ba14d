"""Real text in: what is read right, and what is refused with file and line."""

import io
import re
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cs224d_l3.text.corpora import (
    CAPITALISATION,
    ColumnFile,
    Sentence,
    Vocabulary,
    capitalisation,
    convert_iob,
    read_columns,
    read_text,
    read_vectors,
    split_blanks,
    tokenize,
)

FOUR_COLUMNS = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O

-DOCSTART- -X- O O

Peter NNP I-NP I-PER
"""


def test_the_shared_tasks_four_columns(write) -> None:
    assert read_columns(write(FOUR_COLUMNS)) == [(["EU", "rejects"], ["B-ORG", "O"]), (["Peter"], ["B-PER"])]


@pytest.mark.parametrize(
    "content",
    ["a O\nb X\n\nc O", "a\tO\nb\tX\n\n\n\nc O\n\n", "\ufeffa O\r\nb X\r\n\r\nc O\r\n", "  a   O  \nb X\n \t\nc O\n"],
)
def test_two_columns_however_they_are_set(write, content: str) -> None:
    assert read_columns(write(content)) == [(["a", "b"], ["O", "X"]), (["c"], ["O"])]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("a O\nb\n", 2, "columns.*'b'"),
        ("a O\nb NN O\n", 2, "columns.*'b NN O'"),
        ("a B-X\nb X\n", 2, "tag.*'X'"),
        ("a X\nb O\n\nc I-X\n", 4, "tag.*'I-X'"),
        ("a B-X\nb B-X\nc X\n", 3, "tag.*'X'"),
        (b"a O\nb\xff O\n", 2, "UTF-8.*0xff"),
    ],
)
def test_a_wrong_line_is_named(write, content: str | bytes, line: int, message: str) -> None:
    with pytest.raises(ValueError, match=rf"file\.txt:{line}: .*{message}"):
        read_columns(write(content))


@pytest.mark.parametrize("content", ["", "\n\n", "-DOCSTART- -X- O O\n\n"])
def test_a_file_without_a_sentence_is_refused(write, content: str) -> None:
    with pytest.raises(ValueError, match=r"file\.txt: "):
        read_columns(write(content))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="nowhere.txt"):
        read_columns("nowhere.txt")


def entities(tags: list[str]) -> list[tuple[str, int, int]]:
    """As conlleval finds them."""
    found, start = [], None
    for i, (before, tag) in enumerate(zip(["O", *tags], [*tags, "O"], strict=True)):
        begins = tag[0] == "B" or (tag[0] == "I" and before[1:] != tag[1:])
        if start is not None and (begins or tag == "O"):
            found.append((before[2:], start, i))
            start = None
        if begins:
            start = i
    return found


iob_tags = st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), max_size=10)


@given(tags=iob_tags, scheme=st.sampled_from(["IOB1", "IOB2"]))
def test_conversion_keeps_the_entities(tags: list[str], scheme: str) -> None:
    converted = convert_iob(tags, scheme)
    assert entities(converted) == entities(tags)
    assert convert_iob(converted, scheme) == converted


@given(tags=iob_tags)
def test_iob2_begins_with_b_and_iob1_only_where_it_must(tags: list[str]) -> None:
    for i, tag in enumerate(convert_iob(tags, "IOB2")):
        assert (tag[0] == "B") == any(start == i for _, start, _ in entities(tags))
    one = convert_iob(tags, "IOB1")
    for before, tag in zip(["O", *one], one, strict=False):
        assert tag[0] != "B" or before[2:] == tag[2:]


def test_plain_tags_stay() -> None:
    assert convert_iob(["O", "PER", "B-", "I"], "IOB2") == ["O", "PER", "B-", "I"]
    with pytest.raises(ValueError, match="scheme.*'BIOES'"):
        convert_iob(["O"], "BIOES")


def test_tokens() -> None:
    assert tokenize("Don't use collections.abc (yet), e.g. x_1 == 2.5!") == (
        ["Don't", "use", "collections.abc", "(", "yet", ")", ",", "e.g", ".", "x_1", "=", "=", "2.5", "!"]
    )
    assert tokenize("  \n") == []


def test_texts_of_every_encoding_and_words_set_apart(write) -> None:
    text = "Don't  stop, a\u00a0b\u3000c\n\nx\ty\n"
    expected = [["Don't", "stop,", "a\u00a0b\u3000c"], ["x", "y"]]
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert list(read_text(write(text.encode(encoding)), split_blanks)) == expected
    assert list(read_text(write("é\r\rà".encode("latin-1")), encoding="latin-1")) == [["é"], ["à"]]
    with pytest.raises(ValueError, match=r"file\.txt:2: .*0xe9.*--encoding"):
        list(read_text(write("a\ré".encode("latin-1"))))


def test_text_is_a_sentence_a_line(write) -> None:
    assert list(read_text(write("a b\n\n <unk> N \n"))) == [["a", "b"], ["<unk>", "N"]]


@pytest.mark.parametrize(
    ("word", "kind"),
    [("paris", "lower"), ("x1", "lower"), ("NATO", "all capitals"), ("U.N.", "all capitals"), ("iPhone", "one capital"),
     ("Paris", "initial capital"), ("McDonald", "initial capital"), ("1996", "none"), (",", "none"), ("", "none")],
)  # fmt: skip
def test_capitalisation(word: str, kind: str) -> None:
    assert CAPITALISATION[capitalisation(word)] == kind


@given(words=st.lists(st.text("abAB", min_size=1, max_size=3), max_size=20), min_count=st.integers(1, 3))
def test_vocabulary_holds_the_frequent_words(words: list[str], min_count: int) -> None:
    vocabulary = Vocabulary(words, min_count)
    counts = Counter(word.lower() for word in words)
    assert set(vocabulary.words[2:]) == {word for word, n in counts.items() if n >= min_count}
    for word, index in zip(words, vocabulary.encode(words).tolist(), strict=True):
        assert index == 1 or vocabulary.words[index] == word.lower()
        assert (index == 1) == (counts[word.lower()] < min_count)


def test_a_vocabulary_of_limited_size_keeps_the_most_frequent() -> None:
    words = ["a"] * 3 + ["b"] * 2 + ["c"]
    assert Vocabulary(words, max_words=4).words == ["<pad>", "<unk>", "a", "b"]
    assert Vocabulary(words, max_words=9).words == Vocabulary(words).words
    with pytest.raises(ValueError, match=r"max_words.*\b1\b"):
        Vocabulary(words, max_words=1)


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1), max_size=5))
def test_a_text_is_its_sentences_in_a_row_each_with_its_end(sentences: list[list[str]]) -> None:
    vocabulary = Vocabulary("abc")
    expected = [i for s in sentences for i in [*vocabulary.encode(s).tolist(), 0]]
    assert vocabulary.encode_text(iter(sentences)).tolist() == expected
    assert vocabulary.encode_text([["<pad>", "a"]]).tolist() == [1, vocabulary.index["a"], 0]  # no end in the middle


def test_a_vocabulary_is_made_anew_from_its_words() -> None:
    first = Vocabulary("b a b <unk> C".split(), lower=False)
    assert first.words == ["<pad>", "<unk>", "b", "a", "C"]
    assert Vocabulary(first.words, lower=False).words == first.words
    assert first.encode(["C", "c", "<unk>"]).tolist() == [4, 1, 1]


# ---------------------------------------------------------------------------------------- imperfect files

PIECES = [
    *(b"Ann O", b"\tPER", b"B-LOC", b"I-", b" ", b"\n", b"\r\n", b"\r", b"-DOCSTART-", b"1.5", b"nan", b"<pad>"),
    *(b"\xef\xbb\xbf", b"\xe9", b"\0", b"\x85", "\u2028".encode(), "日本".encode(), b"a" * 300),
    *(
        b"# id 3",
        b"#\t",
        b"\n1\tAnn\tO",
        b"\n2-3\tim\t_",
        b"\t_",
        b"S-PER",
        b"PER-B",
        b"B_PER",
        b"(PER*",
        b",",
        b"2 2\n",
    ),
]
VALID = "# id\nAnn B-PER\nsaw\u00a0a O\n\nZoë S-PER\n# O\n\n1\tim\tO\n2 2\na 1 2\n"
ENCODED = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1"]).map(VALID.encode)
MUTATED = st.builds(
    lambda content, at, length, piece: content[: at % len(content)] + piece + content[at % len(content) + length :],
    *(ENCODED, st.integers(0, 999), st.integers(0, 9), st.sampled_from([b"", *PIECES])),
)
FILES = st.one_of(st.binary(max_size=80), st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join), MUTATED)


def untagged(path: Path) -> list[Sentence]:
    return list(ColumnFile(path, tagged=False))


@pytest.mark.parametrize("read", [read_columns, untagged, lambda path, **_: list(read_text(path)), read_vectors])
@given(FILES, st.sampled_from(["utf-8", "latin-1", "utf-16", "cp1252", "shift-jis", "utf-7"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_with_their_place(
    tmp_path: Path, read: Any, content: bytes, encoding: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    found, refused = None, ""
    try:
        found = read(path) if read is untagged else read(path, encoding=encoding)
    except ValueError as error:
        refused = str(error)
    if refused:
        assert re.match(rf"{re.escape(str(path))}(:\d+)?: [^\n]*$", refused)
    elif read in (read_columns, untagged):
        assert found
        assert all(s.words and len(s.words) == len(s.tags) for s in found)
        assert all(field and not re.search(r"[\t\n\r]", field) for s in found for field in (*s.words, *s.tags))
    elif read is read_vectors:
        assert found[1].isfinite().all()
        assert found[1].shape[0] == len(found[0])
    else:
        assert [words for words in found if not words] == []


def test_files_as_editors_leave_them(tmp_path: Path) -> None:
    path = tmp_path / "file"
    expected = [(["Zoë", "b"], ["O", "X"]), (["c"], ["O"])]
    for content in (
        "Zoë O\nb X\n\nc O\n",
        "\ufeffZoë O\r\nb X\r\n\r\nc O\r\n",
        "Zoë\tO\nb\t X \t\n \t \nc O",
        "\n\nZoë O  \nb X\n\n\n\nc O\n\n\n",
        "-DOCSTART- O\n\nZoë O\nb X\n\n-DOCSTART- O\n\nc O\n",
    ):
        path.write_bytes(content.encode())
        assert read_columns(path) == expected
    path.write_bytes("Zoë O\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"file:1: .*UTF-8.*0xeb"):
        read_columns(path)
    path.write_text("a O\n" + "b" * 10**6 + "\n")
    with pytest.raises(ValueError, match=r"file:2: .*columns.*'b+'") as info:
        read_columns(path)
    assert len(str(info.value)) < 300
    path.write_text("b" * 10**6 + " O\n")
    assert read_columns(path)[0].words == ["b" * 10**6]


@example(" a日", 5)
@given(st.text("aé日 \t", max_size=60), st.integers(1, 20))
def test_long_lines_come_in_pieces(line: str, longest: int) -> None:
    """The same words; a word that is itself longer is cut between two characters."""
    pieces = list(read_text(io.BytesIO(line.encode()), longest=longest))
    assert "".join(chain.from_iterable(pieces)) == "".join(line.split())
    if all(len(word) < longest for word in line.split()):
        assert list(chain.from_iterable(pieces)) == line.split()
    assert all(len(" ".join(piece)) <= 2 * longest for piece in pieces)


@pytest.mark.parametrize("longest", [0, -2])
def test_pieces_hold_a_character(tmp_path: Path, longest: int) -> None:
    (tmp_path / "file").write_text("a")
    with pytest.raises(ValueError, match=rf"longest.*{longest}"):
        read_text(tmp_path / "file", longest=longest)


@pytest.mark.long
def test_a_vocabulary_of_a_million_words() -> None:
    vocabulary = Vocabulary((str(i) for i in range(10**6)), lower=False)
    assert len(vocabulary) == 10**6 + 2
    assert vocabulary.encode(["999999", "1000000"]).tolist() == [10**6 + 1, 1]
