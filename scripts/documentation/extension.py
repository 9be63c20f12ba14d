"""A Sphinx extension: formulas of docstrings, formulas as MathML, and links from the public names.

Docstrings have their formulas in dollar signs, as Markdown has them. MathML is what browsers show without JavaScript.
"""

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode
from torch import nn

import cs224d_l3
from cs224d_l3 import gradient_check, text

BLOCK = re.compile(r"^( *)\$\$(.+?)\$\$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"\$([^$]+)\$")
PUBLIC = {*cs224d_l3.__all__, *gradient_check.__all__, *text.__all__}


def read_formulas(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """``$$...$$`` and ``$...$`` of a docstring in reStructuredText."""

    def block(found: re.Match[str]) -> str:
        indent, formula = found[1], " ".join(found[2].split())
        return f"\n{indent}.. math::\n\n{indent}   {formula}\n"

    docstring = INLINE.sub(lambda found: f":math:`{' '.join(found[1].split())}`", BLOCK.sub(block, "\n".join(lines)))
    lines[:] = docstring.splitlines()


def mathml(formula: str, as_block: bool = False) -> str:
    """MathML of LaTeX, with the spaces that TeX has around max and after log, and a prime that is one."""
    try:
        found = tex2mathml(formula, as_block=as_block).replace("<mo>'</mo>", "<mo>′</mo>")
    except ValueError as error:
        raise ValueError(f"a formula must be LaTeX that can be shown as MathML, got {formula}: {error}") from None
    found = re.sub(r'<mo( movablelimits="true")?>(?=[a-z])', r'<mo\1 lspace="0" rspace="0.1em">', found)
    return re.sub(r"(<mo>&ApplyFunction;</mo>)(?=\s*<m[^o])", r'\1<mspace width="0.17em"/>', found)


def write_inline(page: Any, node: nodes.math) -> None:
    page.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def write_block(page: Any, node: nodes.math_block) -> None:
    page.body.append(f'<div class="formula">{mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def leave_out_arguments(
    app: Sphinx, what: str, name: str, thing: Any, options: object, arguments: str | None, returned: str | None
) -> tuple[str, None] | None:
    """A Module without a constructor has torch's, which takes anything."""
    is_plain = what == "class" and issubclass(thing, nn.Module) and "__init__" not in vars(thing)
    return ("()", None) if is_plain else None


def skip_fields(app: Sphinx, what: str, name: str, thing: object, skip: bool, options: object) -> bool | None:
    """Fields of a NamedTuple say "Alias for field number 0"; its docstring says more."""
    return True if type(thing).__name__ == "_tuplegetter" else None


def places(app: Sphinx) -> dict[str, tuple[str, str]]:
    """Page and anchor of the public names."""
    documented = app.env.get_domain("py").objects  # type: ignore[attr-defined]
    ends = {name: name.rpartition(".")[2] for name in documented}
    return {ends[name]: (at.docname, at.node_id) for name, at in documented.items() if ends[name] in PUBLIC}


def link_code(app: Sphinx, page: nodes.document, name: str) -> None:
    """Public names in the text lead to their place, and on a package's page the names of its modules."""
    found = places(app)
    package = name.removeprefix("api/").replace("cs224d_l3", "")
    for code in unlinked(page):
        module = f"api/{package}.{code.astext()}".replace("/.", "/")
        place = (module, "") if module in app.env.found_docs else found.get(code.astext())
        if place and place[0] != name:
            link = make_refnode(app.builder, name, *place, nodes.literal("", code.astext()))
            code.replace_self(link)


def unlinked(page: nodes.document) -> Iterator[nodes.literal]:
    """Code in the text that is not part of a link or a heading."""
    for code in list(page.findall(nodes.literal)):
        parents, node = [], code.parent
        while node is not None:
            parents.append(node)
            node = node.parent
        if not any(isinstance(parent, nodes.reference | nodes.title) for parent in parents):
            yield code


def link_role(app: Sphinx, env: Any, node: Any, content: nodes.Element) -> nodes.reference | None:
    """A reference to a public name, from another module than its own."""
    place = places(app).get(node["reftarget"].rpartition(".")[2]) if node.get("refdomain") == "py" else None
    return make_refnode(app.builder, node["refdoc"], *place, content) if place else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", read_formulas)
    app.connect("autodoc-process-signature", leave_out_arguments)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("doctree-resolved", link_code)
    app.connect("missing-reference", link_role)
    app.add_html_math_renderer("mathml", (write_inline, None), (write_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
