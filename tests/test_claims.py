"""The claims' verdicts, and one of the experiments as a user runs it."""

import re
from pathlib import Path

import pytest

import claims
from running import run


def test_a_verdict_needs_two_standard_errors() -> None:
    assert claims.is_confirmed([[1.0, 1.1, 0.9]])
    assert not claims.is_confirmed([[1.0, -1.1, 0.9]])
    assert not claims.is_confirmed([[-1.0, -1.1, -0.9]])
    assert not claims.is_confirmed([[1.0, 1.1, 0.9], [0.0, 0.0, 0.0]])  # all that is claimed must hold
    assert not claims.is_confirmed([[1.0]])  # one seed tells nothing


def test_differences_are_taken_seed_by_seed() -> None:
    columns = claims.by_condition([{"a": 1.0, "b": [2.0, 3.0], "c": [7.0]}, {"a": 4.0, "b": [5.0, 6.0], "c": [8.0]}])
    assert columns == {"a": [1.0, 4.0], "b 1": [2.0, 5.0], "b 2": [3.0, 6.0], "c": [7.0, 8.0]}
    assert claims.more("b 2", "a", 1.0)(columns) == [[1.0, 1.0]]


@pytest.mark.long
def test_a_claim_is_measured_judged_and_drawn(tmp_path: Path) -> None:
    result = run("claims", "2.1", "--seeds", 3, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    row = next(line for line in result.stdout.splitlines() if line.startswith("| 2.1"))
    assert row.rstrip(" |").endswith("confirmed")
    assert "passes a parameter 2, " in row
    assert "error, planted 0.001" in row
    assert sorted(path.name for path in (tmp_path / "runs" / "claims").iterdir()) == ["2.1-1.png", "2.1-1.svg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["9.9"], r"sections.*9\.9"),
        (["2.1", "--seeds", "0"], r"seeds.*\b0\b"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = run("claims", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert re.search(message, result.error)
    assert not list(tmp_path.iterdir())
