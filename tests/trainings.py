"""A small training of every kind, and ways to disturb it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from running import Result, run
from training.run import Run

# after "the cat" comes "sat", after "the dog" comes "ran"; what comes before tells nothing
PLAIN = "the cat sat .\na the dog ran .\n" * 40
PLAIN_DEV = "the dog ran .\nthe cat sat .\n" * 3
SMALL = ("--d", 4, "--hidden", 4, "--batch", 8, "--lr", 0.3, "--threads", 1, "--epochs", 3)


TRAINERS = {
    "softmax": ("train_window", "--train", "columns.txt", "--l2", 1e-3, "--average", 0.5),
    "max-margin": ("train_window", "--train", "columns.txt", "--objective", "max-margin"),
    "window": ("train_language_model", "--train", "text.txt", "--tau", 2, "--size", 2),
    "recurrent": ("train_language_model", "--train", "text.txt", "--model", "recurrent", "--rows", 4, "--steps", 3),
    "vectors": ("train_vectors", "--train", "text.txt", "--window", 3),
}  # fmt: skip


class KilledError(BaseException):
    """What SIGKILL is to a run that has this process to itself."""


def train(folder: Path, kind: str, *arguments: object) -> Result:
    script, *own = TRAINERS[kind]
    few = ("--batch", 2) if kind == "max-margin" else ()
    return run(str(script), *own, *SMALL, *few, "--out", f"{kind}.pt", *arguments, cwd=folder)


def state(folder: Path, kind: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(folder / f"{kind}.last.pt", weights_only=True)
    return content


def assert_same(a: Any, b: Any, path: str = "") -> None:
    """Bit for bit; times are not compared."""
    if isinstance(a, Tensor):
        assert torch.equal(a, b), path
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a.keys() - {"seconds", "settings"}:
            assert_same(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}/{i}")
    else:
        assert a == b, path


def during(step: int, what: Callable[[Run], object], after: bool = False) -> Any:
    """Lets something happen within an update of a run, before its parameters have moved or after."""
    update = Run._update

    def disturbed(self: Run, batch: Any) -> None:
        if self.step == step and not after:
            what(self)
        update(self, batch)
        if self.step == step and after:
            what(self)

    return mock.patch.object(Run, "_update", disturbed)


def kill(_: Run) -> None:
    raise KilledError


def full_disk(*_: Any) -> None:
    """In place of a function that writes."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
