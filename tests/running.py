"""Runs a script as a user does, in this process."""

import contextlib
import importlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from _command import run as run_main


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class Result(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(script: str, *arguments: object, cwd: Path, stdin: str = "") -> Result:
    """A script with its command line in a folder."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    main = importlib.import_module(script).main
    with (
        working_in(cwd),
        mock.patch("sys.argv", [script, *map(str, arguments)]),
        mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            run_main(main)
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Result(code, out.getvalue(), err.getvalue())
