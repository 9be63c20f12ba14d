"""The README's code runs, and prints what it says."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_code_prints_what_its_comments_say(block: str) -> None:
    expected = re.findall(r"^ *print\(.*\)  # (.*)$", block, re.MULTILINE)
    assert expected
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert printed.getvalue().splitlines() == expected


def test_commands_name_files_and_sessions_that_exist() -> None:
    root = Path(__file__).parents[1]
    commands = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for path in re.findall(r"python3? (\S+\.py)", "".join(commands)):
        assert (root / path).exists()
    sessions = re.findall(r"^@nox\.session.*\ndef (\w+)", (root / "noxfile.py").read_text(), re.MULTILINE)
    for session in re.findall(r"noxfile\.py -s (\w+)|nox -s (\w+)", README):
        assert "".join(session) in sessions


def test_errata_have_a_test_each() -> None:
    rows = README.split("## Errata")[1].split("\n## ")[0].count("\n| ") - 1
    tests = (Path(__file__).parent / "test_errata.py").read_text().count("\ndef test_")
    assert tests >= rows
