"""The process in which the command runs the checks: before each of them, it writes down what it is about to do."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from .__main__ import check


def main() -> int:
    trace = Path(sys.argv[1])

    def note(name: str, code: Callable[[], str]) -> None:
        trace.write_text(json.dumps({"check": name, "code": code()}), encoding="utf-8")

    return check(sys.argv[2:], note)


if __name__ == "__main__":
    sys.exit(main())
