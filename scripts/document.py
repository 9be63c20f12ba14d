"""Writes the API document: HTML from the docstrings, for reading without a network.

python scripts/document.py               into runs/docs
python scripts/document.py --out site

Formulas between ``$$`` and ``$$`` become MathML, which browsers show by themselves.
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
    """Markdown to HTML around the formulas, which it would take for markup of its own."""

    def convert_around(text: str) -> str:
        formulas: list[str] = []

        def set_aside(found: re.Match[str]) -> str:
            formulas.append(convert(found[1].strip(), display="block"))
            return f"FORMULA{len(formulas) - 1}ENDS"

        page = to_html(FORMULA.sub(set_aside, text))
        return re.sub(r"FORMULA(\d+)ENDS", lambda found: formulas[int(found[1])], page)

    return convert_around


def modules() -> list[str]:
    """In the order of their names; what begins with an underscore is not for users."""
    found = pkgutil.walk_packages(cs224d_l3.__path__, "cs224d_l3.")
    return [module.name for module in found if "._" not in module.name]


LINK = re.compile(r'<a href="(?!https?:|data:)([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)


def broken_links(folder: Path) -> dict[Path, set[str]]:
    """Links within the document that lead nowhere, by page."""
    pages = {path.resolve(): SCRIPT.sub("", path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    places = {path: set(re.findall(r'\bid="([^"]+)"', page)) for path, page in pages.items()}
    broken: dict[Path, set[str]] = {}
    for path, page in pages.items():
        for link, _ in LINK.findall(page):
            name, _, place = html.unescape(link).partition("#")
            target = (path.parent / name).resolve() if name else path
            if target not in places or (place and place not in places[target]):
                broken.setdefault(path, set()).add(link)
    return broken


def unlink(folder: Path) -> None:
    """Leaves the text of links to what is documented elsewhere: to methods that torch's classes have, for one."""
    for path, links in broken_links(folder).items():
        page = path.read_text(encoding="utf-8")
        page = LINK.sub(lambda found, links=links: found[2] if found[1] in links else found[0], page)  # type: ignore[misc]
        path.write_text(page, encoding="utf-8")


def document(out: Path = Path("runs/docs")) -> None:
    """Write the API document.

    Args:
        out: the folder.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"out must be a folder, and {out} is a file")
    pdoc.render.configure(
        docformat="google",
        footer_text=f"cs224d_l3 {cs224d_l3.__version__}",
        search=True,
        show_source=True,
        include_undocumented=False,
    )
    for name in gradient_check.__all__:  # those that are imported when they are asked for
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
