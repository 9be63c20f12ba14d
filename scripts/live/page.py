"""Parts of the page: source code, pictures, errata."""

import base64
import html
import inspect
import io
from collections.abc import Callable, Sequence
from typing import Any

import marimo as mo
import matplotlib as mpl
from matplotlib.figure import Figure

from plotting.style import STYLE

from .sentences import Speaker


def source(say: Speaker, *objects: Any) -> mo.Html:
    """The source of functions and classes as it stands in the package, folded away."""
    names = ", ".join(thing.__name__ for thing in objects)
    code = "\n\n".join(inspect.getsource(thing).rstrip() for thing in objects)
    return mo.accordion({say("source", name=names): mo.md(f"```python\n{code}\n```")})


def erratum(say: Speaker, text: str) -> mo.Html:
    """What the notes print, and the number that shows it."""
    return mo.callout(mo.md(f"**{say('as printed')}.** {text}"), kind="warn")


def trouble(text: str) -> mo.Html:
    """What is wrong with what was typed or chosen, and what would be right."""
    return mo.callout(mo.md(text), kind="danger")


def checking() -> bool:
    """Whether every cell runs once without a browser, the long experiments small and without being asked."""
    return "check" in mo.cli_args()


def side_by_side(*parts: object) -> mo.Html:
    """Controls or pictures in a row, which breaks where the page is narrow."""
    return mo.hstack(parts, wrap=True, justify="start", align="center", gap=1.0)


def plain(text: str) -> str:
    """A text that a reader has typed, as it is: no character of it is Markdown, HTML or TeX."""
    return "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0) -> mo.Html:
    """A small table of Markdown cells, its last columns numbers; it scrolls sideways where the page is narrow."""
    lines = [head, [":---"] * (len(head) - numbers) + ["---:"] * numbers, *rows]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return mo.Html(f'<div style="overflow-x: auto">{mo.md(text).text}</div>')


def picture(draw: Callable[..., Figure], *arguments: Any, alt: str) -> mo.Html:
    """A figure, drawn in the style of the others, at its own width or as wide as the page allows."""
    file = io.StringIO()
    with mpl.rc_context(STYLE):
        drawing = draw(*arguments)
        drawing.savefig(file, format="svg", metadata={"Date": None})
    data = base64.b64encode(file.getvalue().encode()).decode()
    width = f"width: {96 * drawing.get_figwidth():.0f}px; max-width: 100%; height: auto"
    return mo.Html(f'<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(alt)}" style="{width}">')
