"""The document: every page opens from the disk, in a real browser, without an error, with its formulas in print."""

import html
import os
import re
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from documentation.extension import mathml
from documentation.sources import GUIDES, PACKAGES, modules
from running import start

ROOT = Path(__file__).parents[1]
LINK = re.compile(r'<a\b[^>]*\bhref="(?!https?:|data:)([^"]*)"')
SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)
TELEPHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

TEXT = """() => {  // what a reader sees, without code
    const page = document.querySelector('article').cloneNode(true)
    page.querySelectorAll('pre, code').forEach(code => code.remove())
    return page.textContent
}"""
CUT = """() => [...document.querySelectorAll('article math')]  // formulas beyond the edge, and not in what moves
    .filter(math => !math.closest('.formula, .table-wrapper') && math.getBoundingClientRect().right > innerWidth)
    .map(math => math.textContent)"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document, built once, by whichever process of the tests comes first."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with FileLock(folder / "document.lock"):
        if not (folder / "document").exists():
            result = start(ROOT / "scripts" / "document.py", "--out", "document", cwd=folder, PYTHONWARNINGS="default")
            assert result.returncode == 0, result.stderr
    return folder / "document"


def broken_links(folder: Path) -> set[tuple[str, str]]:
    """Page and target of the internal links that lead nowhere."""
    pages = {path: SCRIPT.sub("", path.read_text(encoding="utf-8")) for path in folder.resolve().rglob("*.html")}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', page)) for path, page in pages.items()}
    broken = set()
    for path, page in pages.items():
        for link in map(html.unescape, LINK.findall(page)):
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.exists() or (anchor and anchor not in anchors.get(target, ())):
                broken.add((path.name, link))
    return broken


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = '<a href="b.html">b</a> <a class="x" href="#x">x</a> <a href="a.html#y" id="y">y</a>'
    (tmp_path / "a.html").write_text(page)
    assert broken_links(tmp_path) == {("a.html", "b.html"), ("a.html", "#x")}


@pytest.mark.long
def test_every_link_leads_somewhere(site: Path) -> None:
    assert broken_links(site) == set()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_module_is_on_the_map_of_its_package(package: Any) -> None:
    assert set(modules(package)) <= set(re.findall(r"^.*?``(\w+)`` ", package.__doc__, re.MULTILINE))


@pytest.mark.long
def test_every_guide_and_module_has_a_page(site: Path) -> None:
    short = [
        f"{package.__name__}.{module}".removeprefix("cs224d_l3.") for package in PACKAGES for module in modules(package)
    ]
    pages = ["index", *GUIDES, "api/cs224d_l3", *(f"api/{name}" for name in short)]
    assert len(pages) > 60
    assert [page for page in pages if not (site / f"{page}.html").exists()] == []


@pytest.mark.long
def test_every_formula_of_the_guides_is_one(site: Path) -> None:
    for guide in ("index", *GUIDES):
        source = (ROOT / "scripts" / "guides" / f"{guide}.md").read_text(encoding="utf-8")
        formulas = re.findall(r"\$[^$]+\$", re.sub(r"```.*?```|`[^`]*`", "", source, flags=re.DOTALL))
        assert (site / f"{guide}.html").read_text(encoding="utf-8").count("<math ") == len(formulas)


@pytest.mark.parametrize(("formula", "shown"), [(r"\log x", "mspace"), ("f'(z)", "′"), (r"\max(0, z)", "lspace")])
def test_formulas_are_set_as_tex_sets_them(formula: str, shown: str) -> None:
    assert shown in mathml(formula)


def test_a_formula_that_cannot_be_shown_is_named() -> None:
    with pytest.raises(ValueError, match=r"got \\nonsense\{x\}"):
        mathml(r"\nonsense{x}")


def test_the_output_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("")
    result = start(ROOT / "scripts" / "document.py", "--out", "site", cwd=tmp_path, PYTHONWARNINGS="default")
    assert result.returncode == 2
    assert "out must be a folder, got the file site" in result.error


# ------------------------------------------------------------------------------------------------ in a browser


@pytest.mark.long
def test_every_page_opens_without_an_error_at_any_width(site: Path, browser: Any) -> None:
    page, said, asked, formulas = browser.new_page(), [], [], 0
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for path in [*site.glob("*.html"), *site.glob("api/*.html")]:
        page.goto(path.as_uri())
        shown = page.evaluate(TEXT)
        assert not re.search(r"\$|\\[a-zA-Z({\[]|:\w+:`|merror", shown), path
        for size in (DESKTOP, TELEPHONE):
            page.set_viewport_size(size)
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
            assert page.evaluate(CUT) == [], path
        formulas += page.locator("math").count()
    page.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert formulas > 200


@pytest.mark.long
def test_search_finds_adagrad(site: Path, browser: Any) -> None:
    page, said = browser.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.goto((site / "index.html").as_uri())
    page.fill(".sidebar-search", "AdaGrad")
    page.press(".sidebar-search", "Enter")
    page.locator("#search-results li a", has_text="cs224d_l3.adagrad.AdaGrad").first.click()
    assert "AdaGrad" in page.inner_text("article")
    assert "/api/adagrad.html" in page.url
    assert said == []
