"""Runs a script as a user does: in this process, or as a program of its own."""

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from training.command import run as run_main

LIMIT = 300  # seconds that a program may take on a busy machine


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

    @property
    def error(self) -> str:
        """What was printed as an error, in one line, without the frame around it."""
        return " ".join(self.stderr.replace("│", " ").split())


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


def start(*command: object, cwd: Path, **environment: str) -> Result:
    """A program, in which every warning is an error. Past the limit it is ended with all that it has started."""
    arguments = [sys.executable, *map(str, command)]
    everything: dict[str, Any] = {"cwd": cwd, "env": {**os.environ, "PYTHONWARNINGS": "error", **environment}}
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(arguments, text=True, start_new_session=True, **pipes, **everything) as program:
        try:
            out, err = program.communicate(timeout=LIMIT)
        except BaseException as error:
            os.killpg(program.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                pytest.fail(f"{' '.join(arguments)} has not ended within {LIMIT} s:\n{''.join(program.communicate())}")
            raise
    return Result(program.returncode, out, err)
