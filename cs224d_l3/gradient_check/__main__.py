"""Checks a function from the command line:

python -m cs224d_l3.gradient_check package.module:function "x=batch n, W=m n, b=m"
python -m cs224d_l3.gradient_check package.module:function --calls package.module:calls

Exit status 0: all is right; 1: something is wrong, the report says what; 2: the call was not understood.
"""

import argparse
import ast
import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .function_check import ALLOWED, check_function
from .properties import EXCUSES, PROPERTIES
from .report import GradientCheckError


def main(argv: list[str] | None = None) -> int:
    """Reads the command line, runs the checks in a process of its own, prints the report, returns the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(describe_checks()))
        return 0
    if options.function is None or (options.declaration is None) == (options.calls is None):
        print("error: give a function and either a declaration or --calls; or --list", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        command = [sys.executable, "-m", "cs224d_l3.gradient_check.child", str(trace), *arguments]
        path = os.pathsep.join(filter(None, [*sys.path]))
        status = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, check=False).returncode
        if status >= 0:
            return status
        print(_death(status, trace, options.function), file=sys.stderr)
        return 1


def _death(status: int, trace: Path, function: str) -> str:
    """A sentence on a process that a signal ended, with the check and the call that it was at."""
    name = signal.Signals(-status).name
    if not trace.exists():
        return f"{function}: the interpreter was ended by {name} before the first check"
    last = json.loads(trace.read_text(encoding="utf-8"))
    lines = [f"{function}, check {last['check']!r}: the interpreter was ended by {name}, in this call:"]
    lines += [f"    {line}" for line in last["code"].splitlines()]
    return "\n".join([*lines, f"To check the rest: --skip {last['check']}"])


def describe_checks() -> list[str]:
    """A line or two for each check: what it asks, and how to allow what it finds."""
    lines = []
    for name, check in PROPERTIES.items():
        lines += [f"{name:26} {(check.__doc__ or '').splitlines()[0]}", f"{'':26} if that is meant: {EXCUSES[name]}"]
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cs224d_l3.gradient_check", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("function", nargs="?", help="package.module:function, or :Class.apply")
    add("declaration", nargs="?", help="shape and kind of its arguments: 'x=batch n, W=m n, target=batch < n'")
    add("--calls", help="package.module:name of calls of one's own, a list or a function that makes it")
    add("--list", action="store_true", help="explain every check in a line, and how to skip it")
    add("--reference", help="another function that is known to be right")
    add("--surrogate", help="the function whose gradient it is, where it is not its own by intention")
    add("--make", help="a function that makes the arguments of what is drawn")
    add("--examples", type=int, default=8, help="calls to draw beyond the fixed ones (%(default)s)")
    add("--sizes", default="", help="sizes of named dimensions, commas between, in place of 0 to 6")
    add("--skip", default="", help="checks to leave out, commas between")
    add("--require", default="", help="checks that must be supported and apply, commas between")
    add("--allow", default="", help=f"deviations that are meant, commas between: {', '.join(ALLOWED)}")
    add("--tolerance", type=float, default=0.0, help="of gradients that are approximate, relative to the largest")
    add("--dtype", help="of the arguments, for a function of one dtype: float32, bfloat16, ...")
    add("--seed", type=int, help="of torch's generator before every call, for random functions")
    add("--seconds", type=float, help="after which no check is begun")
    add("--constant", action="append", default=[], metavar="NAME=VALUE", help="a keyword argument")
    add("--domain", action="append", default=[], metavar="NAME=LOW:HIGH", help="bounds of an argument")
    add(
        "--fixed", action="append", default=[], metavar="NAME=VALUE", help="the value of an argument that is drawn else"
    )
    return parser


def check(arguments: list[str], trace: Callable[[str, Callable[[], str]], None] | None = None) -> int:
    """The checks of a command line, in this process."""
    options = _parser().parse_args(arguments)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # what the function prints is not the report
            report = check_function(
                _load(options.function),
                options.declaration,
                calls=_calls(options.calls) if options.calls else None,
                reference=_load_if_given(options.reference),
                surrogate=_load_if_given(options.surrogate),
                make=_load_if_given(options.make),
                examples=options.examples,
                sizes=[int(n) for n in _listed(options.sizes)] or None,
                skip=_listed(options.skip),
                require=_listed(options.require),
                allow=_listed(options.allow),
                tolerance=options.tolerance,
                dtype=_dtype(options.dtype),
                seed=options.seed,
                seconds=options.seconds,
                constants=dict(_constant(text) for text in options.constant),
                domains=dict(_domain(text) for text in options.domain),
                fixed=dict(_constant(text) for text in options.fixed),
                name=options.function.rpartition(":")[2],
                trace=trace,
            )
    except GradientCheckError as error:
        print(error)
        return 1
    except (ValueError, TypeError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report)
    return 0


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _dtype(name: str | None) -> torch.dtype | None:
    found = getattr(torch, name or "", None)
    if name and not (isinstance(found, torch.dtype) and found.is_floating_point):
        raise ValueError(f"dtype must name a floating-point dtype of torch, got {name!r}")
    return found


def _load_if_given(path: str | None) -> Any:
    return _load(path) if path else None


def _calls(path: str) -> Any:
    found = _import(path)
    return found() if callable(found) else found


def _load(path: str) -> Any:
    found = _import(path)
    if not callable(found):
        raise ValueError(f"{path} must be a function, got {type(found).__name__}")
    return found


def _import(path: str) -> Any:
    module, colon, names = path.partition(":")
    if not colon or not names:
        raise ValueError(f"function must read package.module:function, got {path!r}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:
        raise ValueError(f"{path}: importing it raised {type(error).__name__}: {error}") from error
    return found


def _constant(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"a constant must read NAME=VALUE, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _domain(text: str) -> tuple[str, tuple[float | None, float | None]]:
    name, equals, bounds = text.partition("=")
    low, colon, high = bounds.partition(":")
    try:
        if not equals or not colon:
            raise ValueError
        return name, (float(low) if low else None, float(high) if high else None)
    except ValueError:
        raise ValueError(f"a domain must read NAME=LOW:HIGH, got {text!r}") from None


if __name__ == "__main__":
    sys.exit(main())
