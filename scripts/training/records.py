"""Settings and metrics of a run, as JSON lines and as TensorBoard events."""

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
    """Metrics of a run: a file of JSON lines, ``{"step": 100, "loss": ...}``, and a folder of TensorBoard events.

    On resume, lines of later steps than the checkpoint are deleted.

    Args:
        path: JSON lines file.
        events: folder of the TensorBoard events.
        settings: of the run, written as its first line.
        step: step of the checkpoint; None for a new run.
        epoch: first epoch to record.
    """

    def __init__(self, path: Path, events: Path, settings: dict[str, Any], step: int | None, epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        lines = path.read_text(encoding="utf-8").splitlines() if step and path.exists() else []
        valid = [line for line in lines if _precedes(line, step or 0, epoch)]
        with atomic_write(path) as partial:
            partial.write_text("".join(line + "\n" for line in valid), encoding="utf-8")
        versions = {"cs224d_l3": cs224d_l3.__version__, "torch": torch.__version__, "python": platform.python_version()}
        with ExitStack() as opened:
            # unbuffered, so that a write error is raised at once
            self.file = opened.enter_context(path.open("ab", buffering=0))
            with self._write_errors():
                self._line(
                    {"step": step or 0, "settings": settings, "versions": versions, "machine": platform.platform()}
                )
            self.events = SummaryWriter(str(events), purge_step=None if step is None else step + 1)
            opened.callback(self.events.close)
            self.opened = opened.pop_all()

    def add(self, step: int, **numbers: float) -> None:
        with self._write_errors():
            self._line({"step": step, **numbers})
            for name, number in numbers.items():
                self.events.add_scalar(name, number, step)

    def _line(self, content: dict[str, Any]) -> None:
        self.file.write((json.dumps(content) + "\n").encode())

    def close(self) -> None:
        with self._write_errors():
            self.opened.close()

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        """Raise an OSError as a CannotSaveError that names the file."""
        try:
            yield
        except OSError as error:
            raise CannotSaveError("write", self.file.name, error) from error


def _precedes(line: str, step: int, epoch: int) -> bool:
    """Whether a line was recorded up to that step and before that epoch."""
    try:
        content = json.loads(line)
    except ValueError:  # incomplete: the process was killed while writing it
        return False
    return bool(content["step"] <= step and content.get("epoch", 0) < epoch)
