"""A run keeps what it has reached where numbers are not finite, disks full or files wrong."""

import contextlib
import errno
import gc
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import torch

from helpers import COLUMNS, TEXT
from running import Result, run
from training.run import Run
from trainings import during, full_disk, state, train


def spoil(run: Run) -> None:
    run.task.model.hidden.W.data[0, 0] = torch.nan


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_tensor(folder: Path) -> None:
    with during(13, spoil):
        result = train(folder, "softmax")
    assert result.returncode == 3
    assert re.search(r"loss.*\bnan\b.*step 14\b.*parameter hidden\.W.*--lr.*0\.3.*softmax\.last\.pt", result.error)
    assert all(t.isfinite().all() for t in state(folder, "softmax")["model"].values())


def test_updates_that_are_not_finite_are_left_out(folder: Path) -> None:
    def poison(run: Run) -> None:
        first = next(iter(run.task.model.parameters()))
        average = run.processes.average_sparse_gradients

        def spoilt(model: torch.nn.Module) -> None:
            average(model)
            if run.step == 5:
                first.grad = first.grad * torch.inf

        run.processes.average_sparse_gradients = spoilt

    with during(4, poison):
        assert re.search(r"gradient.*input\.L\.weight", train(folder, "softmax").error)
    with during(4, poison):
        result = train(folder, "softmax", "--skip-nonfinite")
    assert result.returncode == 0, result.stderr
    assert "1 updates skipped" in result.stdout
    assert all(t.isfinite().all() for t in state(folder, "softmax")["model"].values())


def test_nothing_but_updates_that_are_not_finite(folder: Path) -> None:
    """A hundred of them, after which the mean of no examples at all is shown."""
    with mock.patch.object(Run, "_is_finite", return_value=False):
        result = train(folder, "softmax", "--batch", 1, "--skip-nonfinite")
    assert result.returncode == 0, result.stderr
    assert "loss 0.0000" in result.stdout


def test_a_state_that_is_not_finite_is_not_carried_on(folder: Path) -> None:
    def poison(run: Run) -> None:
        run.task.state = torch.full_like(run.task.state, torch.inf)

    seen = []
    with (
        mock.patch.object(Run, "_is_finite", lambda self, value: self.step != 5),
        during(5, lambda run: seen.append(run.task.state)),
        during(6, lambda run: seen.append(run.task.state)),
    ):
        assert train(folder, "recurrent", "--skip-nonfinite").returncode == 0
    assert torch.equal(seen[0], seen[1])
    with during(5, poison, after=True):
        assert train(folder, "recurrent", "--unit", "relu").returncode == 3


def test_a_full_disk_under_the_records(folder: Path) -> None:
    def fill(run: Run) -> None:
        assert run.records
        with Path("/dev/full").open("wb") as full:
            os.dup2(full.fileno(), run.records.file.fileno())

    with during(3, fill):
        result = train(folder, "softmax")
    assert result.returncode == 4
    assert f"softmax.jsonl: {os.strerror(errno.ENOSPC)}" in result.error


def test_a_full_disk_leaves_what_was_saved(folder: Path) -> None:
    train(folder, "softmax", "--epochs", 1)
    before = (folder / "softmax.last.pt").read_bytes()
    with during(9, lambda _: mock.patch.object(Path, "write_bytes", full_disk).start()):
        result = train(folder, "softmax", "--resume", "--epochs", 2)
    mock.patch.stopall()
    assert result.returncode == 4
    assert f"softmax.last.pt: {os.strerror(errno.ENOSPC)}" in result.error
    assert (folder / "softmax.last.pt").read_bytes() == before
    assert not list(folder.glob("*.partial"))


def opened() -> dict[str, str]:
    """The files that this process has open, by number; those of libraries, fonts for one, are left out."""
    found = {}
    for number in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them is closed already
            found[number.name] = str(number.readlink())
    return {number: path for number, path in found.items() if not path.startswith(sys.prefix)}


def full(path: Path) -> None:
    """Lets there be no room for a file."""
    path.parent.mkdir(exist_ok=True)
    path.with_name(f"{path.name}.partial").symlink_to("/dev/full")


BAD = COLUMNS + "a line of too many columns\n"


FAILURES: dict[str, tuple[Callable[[Path], object], Callable[[Path], Result]]] = {
    "a run's state": (lambda folder: full(folder / "softmax.last.pt"), lambda folder: train(folder, "softmax")),
    "a run's result": (lambda folder: full(folder / "window.pt"), lambda folder: train(folder, "window")),
    "word vectors": (lambda folder: full(folder / "vectors.pt"), lambda folder: train(folder, "vectors")),
    "a picture": (
        lambda folder: full(folder / "runs" / "units.svg"),
        lambda folder: run("figures", "units", "--out", "runs", cwd=folder),
    ),
    "columns": (lambda folder: (folder / "columns.txt").write_text(BAD), lambda folder: train(folder, "softmax")),
    "columns of dev": (
        lambda folder: (folder / "dev.txt").write_text(BAD),
        lambda folder: train(folder, "max-margin", "--dev", "dev.txt"),
    ),
    "text": (
        lambda folder: (folder / "text.txt").write_bytes(TEXT.encode() + b"caf\xe9\n"),
        lambda folder: train(folder, "recurrent"),
    ),
    "a program": (
        lambda folder: (train(folder, "softmax"), full(folder / "softmax.pt2")),
        lambda folder: run("export", "softmax.pt", cwd=folder),
    ),
    "a text to tag": (
        lambda folder: (train(folder, "softmax"), (folder / "bad.txt").write_bytes(b"a b\ncaf\xe9\n")),
        lambda folder: run("tag", "--file", "bad.txt", "--checkpoint", "softmax.pt", cwd=folder),
    ),
    "a state": (
        lambda folder: (train(folder, "softmax"), (folder / "softmax.last.pt").write_bytes(b"PK")),
        lambda folder: train(folder, "softmax", "--resume"),
    ),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.skipif(not Path("/dev/full").exists() or not Path("/proc/self/fd").exists(), reason="needs Linux")
@pytest.mark.parametrize("what", FAILURES)
def test_what_fails_leaves_nothing_to_the_garbage_collector(folder: Path, what: str) -> None:
    """Neither an open file nor a view of memory that has gone; texts lie in files that are mapped."""
    prepare, fail = FAILURES[what]
    assert train(folder, "softmax", "--out", "first.pt").returncode == 0  # what is imported may stay open
    prepare(folder)
    gc.collect()
    gc.disable()
    try:
        before = opened()
        with mock.patch("cs224d_l3.text.arrays.IN_MEMORY", 0):
            result = fail(folder)
        assert opened() == before
    finally:
        gc.enable()
    gc.collect()
    assert result.returncode in (2, 4), result
    assert result.stderr.count("\n") == 1
