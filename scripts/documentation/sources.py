"""The document's sources: the guides, the pictures, and a page for each module, in the order of the lecture."""

import pkgutil
import re
import shutil
from pathlib import Path
from types import ModuleType

import cs224d_l3
import cs224d_l3.gradient_check
import cs224d_l3.gradient_check.properties
import cs224d_l3.text

HERE = Path(__file__).parents[1]
GUIDES = ("train", "check", "plug_in", "claims", "errata")
PACKAGES = (cs224d_l3, cs224d_l3.gradient_check, cs224d_l3.gradient_check.properties, cs224d_l3.text)
SECTION = re.compile(r"^(\S+(?:, \S+)?) +``(\w+)``", re.MULTILINE)  # a row of the map in the package's docstring
MODULE_LINK = re.compile(r"\]\(\.\./\.\./cs224d_l3/(\w+)(?:/__init__)?\.py\)")


def modules(package: ModuleType) -> list[str]:
    """The public modules of a package, in the order of the table in its docstring."""
    found = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    shown = re.findall(r"``(\w+)``", package.__doc__ or "")
    return sorted(found, key=lambda name: (shown.index(name) if name in shown else len(shown), name))


def write_sources(folder: Path) -> Path:
    """The folder that Sphinx reads."""
    source = folder / "source"
    shutil.copytree(HERE / "pictures", folder / "pictures")
    shutil.copytree(HERE / "guides", source)
    for guide in source.glob("*.md"):  # to a module's page here, to its source on GitHub
        guide.write_text(MODULE_LINK.sub(r"](api/\1.rst)", guide.read_text(encoding="utf-8")), encoding="utf-8")

    api = source / "api"
    api.mkdir()
    write_page(api, "cs224d_l3", ".. automodule:: cs224d_l3", "   :no-members:")
    packages = {package.__name__: package for package in PACKAGES}
    for package in PACKAGES:
        for name in (f"{package.__name__}.{module}" for module in modules(package)):
            write_module(api, name, packages.get(name))
    hidden = [name for name in cs224d_l3.__all__ if "._" in getattr(getattr(cs224d_l3, name), "__module__", "")]
    for name in hidden:
        write_page(api, name, f".. autofunction:: cs224d_l3.{name}")

    sections = {name: section for section, name in SECTION.findall(cs224d_l3.__doc__ or "")}
    lecture = [name for name in modules(cs224d_l3) if sections[name][0].isdigit()]
    others = [name for name in modules(cs224d_l3) if name not in lecture]
    with (source / "index.md").open("a", encoding="utf-8") as index:
        index.write(contents("Guides", *GUIDES))
        index.write(
            contents("The lecture", "api/cs224d_l3", *(f"{sections[name]} {name} <api/{name}>" for name in lecture))
        )
        index.write(contents("Beyond it", *(f"api/{name}" for name in [*others, *hidden])))
    return source


def write_module(folder: Path, name: str, package: ModuleType | None) -> None:
    """A module's page; that of a package is its docstring, which has a table of its modules."""
    lines = [f".. automodule:: {name}"]
    if package:
        short = name.removeprefix("cs224d_l3.")
        lines += ["   :no-members:", "", ".. toctree::", "   :hidden:", ""]
        lines += [f"   {module} <{short}.{module}>" for module in modules(package)]
    write_page(folder, name, *lines)


def write_page(folder: Path, name: str, *lines: str) -> None:
    title = name.rpartition(".")[2]
    page = [title, "=" * len(title), "", *lines, ""]
    (folder / f"{name.removeprefix('cs224d_l3.')}.rst").write_text("\n".join(page), encoding="utf-8")


def contents(caption: str, *pages: str) -> str:
    """A table of contents, as MyST has it."""
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])
