"""The README's code runs, and prints what it says."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
BLOCKS = re.findall(r"```python\n(.*?)```", README + CHINESE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_code_prints_what_its_comments_say(block: str) -> None:
    expected = re.findall(r"^ *print\(.*\)  # (.*)$", block, re.MULTILINE)
    assert expected
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert printed.getvalue().splitlines() == expected


def test_commands_name_files_and_sessions_that_exist() -> None:
    commands = re.findall(r"```sh\n(.*?)```", README + CHINESE, re.DOTALL)
    for path in re.findall(r"(?:python3?|--) (\S+\.py)", "".join(commands)):
        assert (ROOT / path).exists()
    sessions = re.findall(r"^@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text(), re.MULTILINE)
    for session in re.findall(r"noxfile\.py -s (\w+)|nox -s (\w+)", README):
        assert "".join(session) in sessions


@pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
def test_links_lead_somewhere(text: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", text)
    assert len(links) > 15
    assert [link for link in links if not (link.startswith("https://") or (ROOT / link).exists())] == []


def test_errata_have_a_test_each() -> None:
    rows = README.split("## Errata")[1].split("\n## ")[0].count("\n| ") - 1
    tests = (Path(__file__).parent / "test_errata.py").read_text().count("\ndef test_")
    assert tests >= rows
