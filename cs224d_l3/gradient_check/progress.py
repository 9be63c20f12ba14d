"""Progress of the checks, a line on a terminal."""

import sys
import time
from collections.abc import Callable

from .report import FunctionReport


class Progress:
    """A line on a terminal: which check of which call runs."""

    def __init__(self, report: FunctionReport) -> None:
        self.report, self.shown = report, sys.stderr.isatty()
        self.began = self.last = time.monotonic()

    def __call__(self, name: str, _: Callable[[], str]) -> None:
        now = time.monotonic()
        if self.shown and now - self.began > 1 and now - self.last > 0.1:
            self.last = now
            sys.stderr.write(f"\r\033[K{self.report.name}: call {self.report.calls}, {name}")
            sys.stderr.flush()

    def clear(self) -> None:
        if self.shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
