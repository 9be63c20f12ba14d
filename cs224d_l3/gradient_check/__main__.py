"""Checks a function from the command line:

python -m cs224d_l3.gradient_check package.module:function "x=batch n, W=m n, b=m"

Exit status 0: all is right; 1: something is wrong, the report says what; 2: the call was not understood.
"""

import argparse
import ast
import contextlib
import importlib
import io
import sys
from pathlib import Path
from typing import Any

from .report import GradientCheckError


def main(argv: list[str] | None = None) -> int:
    """Reads the command line, prints the report, returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cs224d_l3.gradient_check", description=__doc__.partition("\n")[0])
    parser.add_argument("function", help="package.module:function, or :Class.apply")
    parser.add_argument("declaration", help="dimensions of its arguments: 'x=batch n, W=m n, target=batch < n'")
    parser.add_argument("--reference", help="another function that is known to be right")
    parser.add_argument("--examples", type=int, default=8, help="calls to draw beyond the fixed ones (%(default)s)")
    parser.add_argument("--skip", default="", help="checks to leave out, commas between")
    parser.add_argument("--require", default="", help="checks that must be supported, commas between")
    parser.add_argument("--constant", action="append", default=[], metavar="NAME=VALUE", help="a keyword argument")
    parser.add_argument("--domain", action="append", default=[], metavar="NAME=LOW:HIGH", help="bounds of an argument")
    options = parser.parse_args(argv)
    try:
        from .function_check import check_function
    except ImportError:
        print("error: check_function draws its inputs with hypothesis: pip install hypothesis", file=sys.stderr)
        return 2
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # what the function prints is not the report
            report = check_function(
                _load(options.function),
                options.declaration,
                reference=_load(options.reference) if options.reference else None,
                examples=options.examples,
                skip=[name.strip() for name in options.skip.split(",") if name.strip()],
                require=[name.strip() for name in options.require.split(",") if name.strip()],
                constants=dict(_constant(text) for text in options.constant),
                domains=dict(_domain(text) for text in options.domain),
                name=options.function.rpartition(":")[2],
            )
    except GradientCheckError as error:
        print(error)
        return 1
    except (ValueError, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report)
    return 0


def _load(path: str) -> Any:
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
    if not callable(found):
        raise ValueError(f"{path} must be a function, got {type(found).__name__}")
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
