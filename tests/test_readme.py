"""The code of README and guides runs, and prints what it says; their links and commands lead somewhere."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "scripts" / "guides").glob("*.md"))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
BLOCKS = [
    pytest.param(block, id=f"{name}-{i}", marks=[pytest.mark.long] if "check_function" in block else [])
    for name, text in TEXTS.items()
    for i, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_code_prints_what_its_comments_say(block: str) -> None:
    expected = re.findall(r"^ *print\(.*\)  # (.*)$", block, re.MULTILINE)
    assert expected
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert printed.getvalue().splitlines() == expected


@pytest.mark.parametrize("name", TEXTS)
def test_commands_name_files_and_sessions_that_exist(name: str) -> None:
    scripts = re.findall(r"(?:python3?|--) ([\w/]+\.py)", TEXTS[name])
    assert [path for path in scripts if not (ROOT / path).exists()] == []
    sessions = re.findall(r"^@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text(), re.MULTILINE)
    named = re.findall(r"(?:noxfile\.py|nox) -s (\w+)", TEXTS[name])
    assert set(named) <= set(sessions)


@pytest.mark.parametrize("page", PAGES, ids=list(TEXTS))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (link.startswith("https://") or (page.parent / link).exists())] == []


def test_the_readme_is_a_front_page() -> None:
    for name in ("README.md", "README.zh.md"):
        assert TEXTS[name].count("\n") <= 250
        assert {f"scripts/guides/{page.name}" for page in PAGES[2:]} <= set(re.findall(r"\]\(([^)#]+)", TEXTS[name]))


def test_errata_have_a_test_each() -> None:
    rows = TEXTS["scripts/guides/errata.md"].count("\n| ") - 1
    tests = (Path(__file__).parent / "test_errata.py").read_text().count("\ndef test_")
    assert tests >= rows >= 16
