"""The script that learns word vectors from plain text, run small, as a user runs it."""

import re
from pathlib import Path
from unittest import mock

import pytest
import torch

from cs224d_l3 import corrupt
from cs224d_l3.text.corpora import read_vectors
from running import run
from trainings import PLAIN, PLAIN_DEV


def test_vectors_are_trained_on_raw_text_and_taken_by_the_tagger(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text(PLAIN + "rare words\n")
    (tmp_path / "dev.txt").write_text(PLAIN_DEV)
    with mock.patch("train_vectors.corrupt", side_effect=corrupt) as corrupted:
        result = run(
            "train_vectors", "--train", "train.txt", "--dev", "dev.txt", "--d", 5, "--hidden", 8, "--window", 3,
            "--batch", 8, "--epochs", 5, "--lr", 0.3, "--nearest", "Cat", cwd=tmp_path,
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    rates = [float(line.split("wins in ")[1].split()[0]) for line in result.stdout.splitlines() if "wins" in line]
    assert len(rates) == 5
    assert rates[-1] > 90
    assert result.stdout.splitlines()[-1].startswith("Cat: ")
    centres = torch.cat([call.args[0][:, 1] for call in corrupted.call_args_list])
    assert centres.min() > 1  # no end of a sentence, no unknown word
    words, vectors = read_vectors(tmp_path / "runs" / "vectors.txt")
    assert sorted(words) == sorted({"the", "cat", "sat", ".", "a", "dog", "ran"})
    assert vectors.shape == (7, 5)
    (tmp_path / "tags.txt").write_text("the O\ncat X\nsat O\n\nthe O\ndog X\nran O\n\n" * 10)
    tagged = run(
        "train_window", "--train", "tags.txt", "--vectors", "runs/vectors.txt", "--epochs", 1, "--hidden", 4,
        cwd=tmp_path,
    )  # fmt: skip
    assert tagged.returncode == 0, tagged.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--window", "4"], r"window.*odd.*\b4\b"),
        (["--margin", "-1"], "margin.*-1"),
        (["--train", "train.txt", "--nearest", "frog"], "nearest.*'frog'"),
        (["--train", "nowhere.txt"], r"nowhere\.txt"),
        (["--dev", "train.txt"], r"\btrain\b.*\bdev\b"),
        (["--train", "train.txt", "--dev", "other.txt"], r"\bdev\b.*\b2\b.*\btrain\b"),
        (["--train", "train.txt", "--out", "."], r"\bout\b.*folder"),
    ],
)
def test_bad_input_for_vectors_is_one_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "train.txt").write_text(PLAIN)
    (tmp_path / "other.txt").write_text("nothing known\n")
    result = run("train_vectors", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert re.search(message, result.error)
    assert not (tmp_path / "runs").exists()
