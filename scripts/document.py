"""Writes the document: the guides and the API, from the docstrings, as HTML for offline reading.

python scripts/document.py               into runs/docs
python scripts/document.py --out site

Its front page and guides are in ``scripts/guides``.
"""

import io
import tempfile
from pathlib import Path
from typing import Any

import tyro
from sphinx.application import Sphinx

import cs224d_l3
from documentation.sources import write_sources
from training.command import run

HERE = Path(__file__).parent
SETTINGS: dict[str, Any] = {
    "project": "cs224d_l3",
    "version": cs224d_l3.__version__,
    "extensions": ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "myst_parser",
                   "documentation.extension"],
    "autodoc_default_options": {"members": True, "member-order": "bysource", "ignore-module-all": True,
                                "no-value": True},
    "autodoc_inherit_docstrings": False,
    "autodoc_preserve_defaults": True,
    "autodoc_typehints_format": "short",
    "python_maximum_signature_line_length": 80,
    "python_use_unqualified_type_names": True,
    "add_module_names": False,
    "smartquotes_action": "D",  # dashes, and no quotes: those of code stay what they are
    "toc_object_entries_show_parents": "hide",
    "napoleon_numpy_docstring": False,
    "napoleon_use_ivar": True,
    "napoleon_use_rtype": False,
    "nitpicky": True,
    "nitpick_ignore_regex": [("py:(class|obj|data|exc)", ".*")],  # annotations name torch's types
    "myst_enable_extensions": ["dollarmath"],
    "myst_heading_anchors": 3,
    "html_theme": "furo",
    "html_theme_options": {"top_of_page_buttons": []},
    "html_title": f"cs224d_l3 {cs224d_l3.__version__}",
    "html_math_renderer": "mathml",
    "html_static_path": [str(HERE / "documentation" / "static")],
    "html_css_files": ["document.css"],
    "html_copy_source": False,
    "html_show_copyright": False,
    "html_show_search_summary": False,  # summaries are fetched, which browsers refuse to pages from the disk
}  # fmt: skip


def document(out: Path = Path("runs/docs")) -> None:
    """Write the document.

    Args:
        out: output folder.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"out must be a folder, got the file {out}")
    warnings = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        source = write_sources(Path(folder))
        app = Sphinx(source, None, out, Path(folder, "doctrees"), "html", SETTINGS, status=None, warning=warnings)
        app.build()
    if found := warnings.getvalue():
        raise ValueError(f"the document must be built without a warning, got\n{found}")
    print(f"{len(app.env.found_docs)} pages: {out / 'index.html'}")


def main() -> None:
    tyro.cli(document)


if __name__ == "__main__":
    run(main)
