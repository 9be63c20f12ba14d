"""Parts of the page: source code, pictures, errata."""

import base64
import inspect
import io
from collections.abc import Callable
from typing import Any

import marimo as mo
import matplotlib as mpl
from matplotlib.figure import Figure

from plotting.style import STYLE

from .sentences import Speaker


def source(say: Speaker, *objects: Any) -> mo.Html:
    """The source of functions and classes as it stands in the package, folded away."""
    names = ", ".join(f"`{thing.__name__}`" for thing in objects)
    code = "\n\n".join(inspect.getsource(thing).rstrip() for thing in objects)
    return mo.accordion({say("source", name=names): mo.md(f"```python\n{code}\n```")})


def erratum(say: Speaker, text: str) -> mo.Html:
    """What the notes print, and the number that shows it."""
    return mo.callout(mo.md(f"**{say('as printed')}.** {text}"), kind="warn")


def picture(draw: Callable[..., Figure], *arguments: Any, alt: str) -> mo.Html:
    """A figure, drawn in the style of the others, as wide as the page allows."""
    file = io.StringIO()
    with mpl.rc_context(STYLE):
        draw(*arguments).savefig(file, format="svg", metadata={"Date": None})
    data = base64.b64encode(file.getvalue().encode()).decode()
    return mo.Html(f'<img src="data:image/svg+xml;base64,{data}" alt="{alt}" style="max-width: 100%; height: auto">')
