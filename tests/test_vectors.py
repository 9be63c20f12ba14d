"""Files of word vectors: what is read right, and what is refused with file and line."""

from pathlib import Path

import pytest
import torch

from cs224d_l3.text.corpora import PAD, UNKNOWN, read_vectors
from cs224d_l3.text.files import write_vectors


def test_word_vectors(write) -> None:
    words, vectors = read_vectors(write("the 0.5 -1\n. . 2 3e-1\n"))
    assert words == ["the", ". ."]
    assert torch.equal(vectors, torch.tensor([[0.5, -1], [2, 0.3]]))
    words, vectors = read_vectors(write("2 3\nthe 1 2 3\nof 4 5 6\n"), wanted={"of"})  # word2vec's first line
    assert words == ["of"]
    assert vectors.tolist() == [[4, 5, 6]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a\t1 2\nb\t3 4\n", ["a", "b"]),  # a tab behind the word
        ("a\t1\t2\nb c\t3\t4\nd 5\t5\t6\n", ["a", "b c", "d 5"]),
        ("3 2\n. . 1 2\nCatch 22 3 4\n1984 5 6\n", [". .", "Catch 22", "1984"]),  # the first line says how many
        ("3 2 \na 1 2 \nb  3   4\n", ["a", "b"]),
        ("\ufeff2 2\na 1 2\n", ["a"]),
        ("a 1 2\nb 3 4\n\n", ["a", "b"]),
        ("a 1 2\r\n\r\nb 3 4\r\n \t\n", ["a", "b"]),
        ("a 1 2\rb 3 4", ["a", "b"]),
        ("a\u00a0b 1 2\n\u3000 3 4\n\u0085 5 6\n\u2028 7 8\n", ["a\u00a0b", "\u3000", "\u0085", "\u2028"]),
        ("a 1 2\n. . 3 4\n", ["a", ". ."]),
        ("<pad> 1 2\n<unk> 3 4\n</s> 5 6\n", ["<pad>", "<unk>", "</s>"]),
        ("5 1 2\n7 3 4\n", ["5", "7"]),
    ],
)
def test_vector_files_of_every_form(write, content: str, words: list[str]) -> None:
    for encoded in (content.encode(), content.encode("utf-16")):
        found, vectors = read_vectors(write(encoded))
        assert found == words
        start = 5 if words == ["1984"] else 1
        assert vectors.flatten().tolist() == list(range(start, start + 2 * len(words)))


def test_vectors_in_another_encoding(write) -> None:
    path = write("é 1 2\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"file\.txt:1: .*UTF-8.*0xe9.*encoding.*latin-1"):
        read_vectors(path)
    assert read_vectors(path, encoding="latin-1")[0] == ["é"]


def test_words_with_blanks_come_back_from_a_file_of_vectors(tmp_path: Path) -> None:
    for words in (["a", "b"], ["New York", "Catch 22", "1 2", "\u00a0"]):
        vectors = torch.randn(len(words), 3)
        write_vectors(tmp_path / "v.txt", [PAD, UNKNOWN, *words], torch.cat([torch.zeros(2, 3), vectors]))
        found = read_vectors(tmp_path / "v.txt")
        assert found[0] == words
        torch.testing.assert_close(found[1], vectors, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("3 2\na 1\n", 2, r"word and 2 numbers as line 1 says, '3 2', got 1 after 'a'"),
        ("3 2\na 1 x\n", 2, r"as line 1 says, '3 2', got 'a 1 x'"),
        ("a\t1 2\nb 1\t1 2 3\n", 2, r"word and 2 numbers, got 3 after 'b 1'"),
        ("a 1 2\nb 1\n", 2, r"\b2\b.*\b1\b.*'b'"),
        ("a 1 2\nb 1 2 3\n", 2, r"\b2\b.*\b3\b.*'b'"),
        ("a 1 2\nb 1 x\n", 2, "'b 1 x'"),
        ("a 1 2\nb\n", 2, r"\b2\b.*\b0\b.*'b'"),
        ("a\nb 1\n", 1, r"\b0\b.*'a'"),
        ("a 1 nan\n", 1, "'a 1 nan'"),
    ],
)
def test_a_wrong_vector_is_named(write, content: str, line: int, message: str) -> None:
    with pytest.raises(ValueError, match=rf"file\.txt:{line}: .*{message}"):
        read_vectors(write(content))


def test_vectors_of_no_wanted_word_are_refused(write) -> None:
    with pytest.raises(ValueError, match=r"file\.txt.*wanted"):
        read_vectors(write("a 1 2\n"), wanted={"b"})
    with pytest.raises(ValueError, match=r"file\.txt: "):
        read_vectors(write(""))
