"""Command line of the lecture: opens it in the browser, or runs every cell once."""

import runpy
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import marimo
import tyro

from .sentences import LANGUAGES

NOTEBOOK = Path(__file__).parents[1] / "lecture.py"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """The lecture, live: open it in the browser.

    Args:
        lang: language, en or zh; it can be changed on the page.
        check: run every cell once without a browser, the long experiments small; fails if a cell shows an error.
        host: address to listen on; if it is not this machine's own, the page asks for the token that is printed.
        port: port to listen on; 0 for any that is free.
        headless: print the address, without opening a browser.
    """

    lang: str = "en"
    check: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    headless: bool = False

    def __post_init__(self) -> None:
        if self.lang not in LANGUAGES.values():
            raise ValueError(f"lang must be {' or '.join(LANGUAGES.values())}, got {self.lang!r}")
        if not 0 <= self.port < 2**16:
            raise ValueError(f"port must be 0 to 65535, got {self.port}")


def main(app: marimo.App) -> None:
    settings = tyro.cli(Settings)
    if settings.check:
        check(app, settings.lang)
    else:  # in this process, which has imported all that the cells need
        sys.argv = server(settings)
        runpy.run_module("marimo", run_name="__main__")


def server(settings: Settings) -> list[str]:
    """The command line of marimo that serves the lecture. A token is left out on this machine's own address alone."""
    token = "--no-token" if settings.host in LOOPBACK else "--token"
    port = ["--port", str(settings.port)] if settings.port else []
    headless = ["--headless"] if settings.headless else []
    options = ["--host", settings.host, *port, token, *headless]
    return ["marimo", "run", str(NOTEBOOK), *options, "--", "--lang", settings.lang]


def check(app: marimo.App, lang: str) -> None:
    """Run every cell once; a cell that raises, or shows an error, fails."""
    start = time.perf_counter()
    sys.argv[1:] = ["--lang", lang, "--check"]  # what the cells read
    try:
        outputs, _ = app.run()
    except Exception as error:
        raise RuntimeError("a cell of the lecture raised") from error
    if errors := [output.text for output in outputs if is_error(output)]:
        raise RuntimeError(f"a cell of the lecture must not show an error, got {len(errors)}:\n" + "\n".join(errors))
    print(f"{len(outputs)} cells ran without an error in {time.perf_counter() - start:.0f} s")


def is_error(output: object) -> bool:
    """Whether a cell's output holds a callout of kind danger."""
    return isinstance(output, marimo.Html) and "&quot;danger&quot;" in output.text
