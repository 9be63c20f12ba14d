"""What a run was and how it went: a JSON line each, and the same numbers for TensorBoard."""

import json
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

import cs224d_l3
from cs224d_l3.text.files import CannotSaveError, atomic_write


class Records:
    """``{"step": 100, "loss": ...}`` line by line in one file, events for TensorBoard in a folder.

    Going on after a stop, the lines after the step that the run goes on from are taken back.
    """

    def __init__(self, path: Path, events: Path, settings: dict[str, Any], step: int | None, epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        lines = path.read_text(encoding="utf-8").splitlines() if step and path.exists() else []
        kept = [line for line in lines if _is_before(line, step or 0, epoch)]
        with atomic_write(path) as partial:
            partial.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        versions = {"cs224d_l3": cs224d_l3.__version__, "torch": torch.__version__, "python": platform.python_version()}
        with ExitStack() as opened:
            self.file = opened.enter_context(path.open("ab", buffering=0))  # a line is in the file, or is an error
            with self._saying():
                self._line(
                    {"step": step or 0, "settings": settings, "versions": versions, "machine": platform.platform()}
                )
            self.events = SummaryWriter(str(events), purge_step=None if step is None else step + 1)
            opened.callback(self.events.close)
            self.opened = opened.pop_all()

    def add(self, step: int, **numbers: float) -> None:
        with self._saying():
            self._line({"step": step, **numbers})
            for name, number in numbers.items():
                self.events.add_scalar(name, number, step)

    def _line(self, content: dict[str, Any]) -> None:
        self.file.write((json.dumps(content) + "\n").encode())

    def close(self) -> None:
        with self._saying():
            self.opened.close()

    @contextmanager
    def _saying(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CannotSaveError("write", self.file.name, error) from error


def _is_before(line: str, step: int, epoch: int) -> bool:
    try:
        content = json.loads(line)
    except ValueError:  # the process was ended within the line
        return False
    return bool(content["step"] <= step and content.get("epoch", 0) < epoch)
