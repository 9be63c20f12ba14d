"""The API document: every formula is one, every link leads somewhere, and a browser has nothing to say."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import document
from running import run

PACKAGE = Path(__file__).parents[1] / "cs224d_l3"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    result = run("document", "--out", "site", cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "site"


@pytest.mark.long
def test_every_formula_is_shown(folder: Path) -> None:
    shown = 0
    for source in PACKAGE.rglob("*.py"):
        formulas = document.FORMULA.findall(source.read_text(encoding="utf-8"))
        if formulas:
            page = folder / source.relative_to(PACKAGE.parent).with_suffix(".html")
            text = document.SCRIPT.sub("", page.read_text(encoding="utf-8"))
            assert text.count("<math") == len(formulas), source
            assert "merror" not in text
            shown += len(formulas)
    assert shown >= 9


@pytest.mark.long
def test_every_module_has_a_page_and_every_link_a_place(folder: Path) -> None:
    assert all((folder / (name.replace(".", "/") + ".html")).exists() for name in document.modules())
    assert document.broken_links(folder) == {}
    assert "MathJax" not in (folder / "cs224d_l3.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css)', (folder / "cs224d_l3.html").read_text("utf-8"))


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html">b</a> <a href="#x">x</a> <a href="a.html#y" id="y">y</a>')
    assert document.broken_links(tmp_path) == {(tmp_path / "a.html").resolve(): {"b.html", "#x"}}
    document.unlink(tmp_path)
    assert (tmp_path / "a.html").read_text() == 'b x <a href="a.html#y" id="y">y</a>'


@pytest.mark.long
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize("name", ["cs224d_l3", "cs224d_l3/backprop", "cs224d_l3/adagrad"])
def test_a_browser_shows_it_without_an_error(folder: Path, name: str, tmp_path: Path) -> None:
    page = folder / f"{name}.html"
    options = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
    command = [str(BROWSER), *options.split(), f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--dump-dom"]
    result = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in result.stderr
    written = document.SCRIPT.sub("", page.read_text(encoding="utf-8")).count("<math")
    assert document.SCRIPT.sub("", result.stdout).count("<math") == written
