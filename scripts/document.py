"""Writes the API documentation: HTML from the docstrings, for offline reading.

python scripts/document.py               into runs/docs
python scripts/document.py --out site

Formulas between ``$$`` and ``$$`` become MathML, which browsers render without JavaScript.
"""

import html
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path

import pdoc
import pdoc.render
import pdoc.render_helpers
import tyro
from latex2mathml.converter import convert

import cs224d_l3
from cs224d_l3 import gradient_check
from training.command import run

FORMULA = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)


def with_formulas(to_html: Callable[[str], str]) -> Callable[[str], str]:
    """Wrap a Markdown converter so that it leaves formulas, which contain Markdown's special characters, alone."""

    def convert_text(text: str) -> str:
        formulas: list[str] = []

        def replace_by_placeholder(match: re.Match[str]) -> str:
            formulas.append(convert(match[1].strip(), display="block"))
            return f"FORMULA{len(formulas) - 1}ENDS"

        page = to_html(FORMULA.sub(replace_by_placeholder, text))
        return re.sub(r"FORMULA(\d+)ENDS", lambda match: formulas[int(match[1])], page)

    return convert_text


def modules() -> list[str]:
    """Names of the public modules, sorted; those with a leading underscore are private."""
    found = pkgutil.walk_packages(cs224d_l3.__path__, "cs224d_l3.")
    return [module.name for module in found if "._" not in module.name]


LINK = re.compile(r'<a href="(?!https?:|data:)([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)


def broken_links(folder: Path) -> dict[Path, set[str]]:
    """Broken internal links, by page."""
    pages = {path.resolve(): SCRIPT.sub("", path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', page)) for path, page in pages.items()}
    broken: dict[Path, set[str]] = {}
    for path, page in pages.items():
        for link, _ in LINK.findall(page):
            name, _, anchor = html.unescape(link).partition("#")
            target = (path.parent / name).resolve() if name else path
            if target not in anchors or (anchor and anchor not in anchors[target]):
                broken.setdefault(path, set()).add(link)
    return broken


def unlink(folder: Path) -> None:
    """Replace broken links, for example to inherited methods of torch's classes, by their text."""
    for path, links in broken_links(folder).items():
        page = path.read_text(encoding="utf-8")
        page = LINK.sub(lambda match, links=links: match[2] if match[1] in links else match[0], page)  # type: ignore[misc]
        path.write_text(page, encoding="utf-8")


def document(out: Path = Path("runs/docs")) -> None:
    """Write the API documentation.

    Args:
        out: output folder.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"out must be a folder, got the file {out}")
    pdoc.render.configure(
        docformat="google",
        footer_text=f"cs224d_l3 {cs224d_l3.__version__}",
        search=True,
        show_source=True,
        include_undocumented=False,
    )
    for name in gradient_check.__all__:  # resolve lazily imported names
        setattr(gradient_check, name, getattr(gradient_check, name))
    filters = pdoc.render.env.filters
    before = filters["to_html"]
    filters["to_html"] = with_formulas(before)
    try:
        pdoc.pdoc("cs224d_l3", *modules(), output_directory=out)
    finally:
        filters["to_html"] = before
    unlink(out)
    pages = list(out.rglob("*.html"))
    formulas = sum(page.read_text(encoding="utf-8").count("<math") for page in pages)
    print(f"{len(pages)} pages, {formulas} formulas: {out / 'index.html'}")


def main() -> None:
    tyro.cli(document)


if __name__ == "__main__":
    run(main)
