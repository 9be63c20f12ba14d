"""A run that was killed or stopped, or has ended, goes on as if it had never stopped."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cs224d_l3.text.files import load_checkpoint, save_checkpoint
from helpers import COLUMNS
from running import run
from trainings import TRAINERS, KilledError, assert_same, during, kill, state, train


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "step", "every"), [*((kind, 11, 0) for kind in TRAINERS), ("window", 2, 0), ("softmax", 11, 1e9)]
)
def test_a_killed_run_ends_as_one_that_was_never_stopped(folder: Path, kind: str, step: int, every: float) -> None:
    """Saved after every update, or at the ends of epochs alone; killed within an update, after it moved parameters."""
    whole = train(folder, kind)
    assert whole.returncode == 0, whole.stderr
    expected = state(folder, kind)
    with during(step, kill, after=True), pytest.raises(KilledError):
        train(folder, kind, "--save-every", every)
    if (folder / f"{kind}.last.pt").exists():
        again = train(folder, kind, "--resume")
        assert "resuming in epoch" in again.stdout
    else:  # before anything was saved
        again = train(folder, kind)
    assert again.returncode == 0, again.stderr
    assert_same(state(folder, kind), expected)
    if kind == "vectors":
        assert (folder / "vectors.pt").read_bytes() == (folder / "vectors.1.pt").read_bytes()
    else:
        best = [load_checkpoint(folder / name, {"model"})["model"] for name in (f"{kind}.pt", f"{kind}.1.pt")]
        assert_same(*best)


SIGNALS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


@pytest.fixture(params=[SIGNALS], ids=["heard"])
def handlers(request: pytest.FixtureRequest) -> Iterator[dict[int, Any]]:
    """Of the two signals; this process may have been started with others."""
    before = {number: signal.signal(number, handler) for number, handler in request.param.items()}
    yield request.param
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.long
@pytest.mark.parametrize(("kind", "number"), [("softmax", signal.SIGINT), ("recurrent", signal.SIGTERM)])
def test_a_signal_stops_after_the_update_and_saves(
    folder: Path, kind: str, number: int, handlers: dict[int, Any]
) -> None:
    train(folder, kind)
    expected = state(folder, kind)
    with during(5, lambda _: os.kill(os.getpid(), number)):
        stopped = train(folder, kind)
    assert stopped.returncode == 128 + number
    assert "--resume" in stopped.stderr
    assert state(folder, kind)["step"] == 6
    assert {n: signal.getsignal(n) for n in SIGNALS} == handlers
    again = train(folder, kind, "--resume")
    assert again.returncode == 0, again.stderr
    assert_same(state(folder, kind), expected)


@pytest.mark.parametrize("handlers", [{signal.SIGINT: signal.SIG_IGN}, {signal.SIGTERM: signal.SIG_IGN}], indirect=True)
def test_a_signal_that_was_ignored_stays_ignored(folder: Path, handlers: dict[int, Any]) -> None:
    """As a shell's background jobs and `nohup` start their programs."""
    (number,) = handlers
    with during(5, lambda _: os.kill(os.getpid(), number)):
        assert train(folder, "softmax").returncode == 0
    assert signal.getsignal(number) == signal.SIG_IGN


@pytest.mark.usefixtures("handlers")
def test_a_signal_within_a_save_is_not_lost(folder: Path) -> None:
    def save(path: Path, content: dict[str, Any]) -> None:
        save_checkpoint(path, content)
        if content["step"] == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with mock.patch("training.run.save_checkpoint", save):
        assert train(folder, "softmax", "--save-every", 0).returncode == 128 + signal.SIGTERM
    assert state(folder, "softmax")["step"] == 6


def test_a_run_that_has_ended_goes_on_for_more_epochs(folder: Path) -> None:
    train(folder, "softmax", "--epochs", 5, "--patience", 9)
    expected = state(folder, "softmax")
    train(folder, "softmax", "--epochs", 2, "--patience", 9)
    assert run("train_window", "--resume", "--out", "softmax.pt", cwd=folder).returncode == 0  # nothing left to do
    more = run("train_window", "--resume", "--out", "softmax.pt", "--epochs", 5, cwd=folder)
    assert more.returncode == 0, more.stderr
    assert_same(state(folder, "softmax"), expected)


@pytest.mark.parametrize("kind", ["softmax", "window", "vectors"])
def test_one_command_begins_a_run_and_goes_on_with_it(folder: Path, kind: str) -> None:
    """As a machine runs it that may be taken away at any time."""
    train(folder, kind)
    expected = state(folder, kind)
    for path in folder.glob(f"{kind}.*"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    command = ("--save-every", 0, "--resume", "auto")
    for step in (3, 11):
        with during(step, kill), pytest.raises(KilledError):
            train(folder, kind, *command)
    result = train(folder, kind, *command)
    assert result.returncode == 0, result.stderr
    assert "after 11 updates" in result.stdout
    assert_same(state(folder, kind), expected)
    assert "resuming in epoch" in train(folder, kind, *command).stdout  # it has ended: nothing is left to do
    assert not (folder / f"{kind}.1.last.pt").exists()
    assert "resuming" not in train(folder, kind, "--resume", "no").stdout
    assert (folder / f"{kind}.1.last.pt").exists()


@pytest.mark.parametrize("kind", ["softmax", "window", "vectors"])
def test_a_run_whose_best_model_is_gone_says_so(folder: Path, kind: str) -> None:
    train(folder, kind)
    (folder / f"{kind}.pt").unlink()
    for resume in ("yes", "auto"):
        result = train(folder, kind, "--resume", resume)
        assert result.returncode == 2
        assert re.search(rf"resume.*{kind}\.last\.pt without {kind}\.pt: put it back.*anew", result.error)


def test_a_run_without_a_setting_that_alters_the_result_is_refused(folder: Path) -> None:
    """As those of earlier versions are."""
    train(folder, "softmax")
    content = state(folder, "softmax")
    del content["settings"]["scheme"]
    save_checkpoint(folder / "softmax.last.pt", content)
    assert re.search(r"resume.*scheme from none to IOBES.*--accept-changes", train(folder, "softmax", "--resume").error)
    assert train(folder, "softmax", "--resume", "--accept-changes").returncode == 0


def test_going_on_with_other_settings_or_data_is_refused(folder: Path) -> None:
    assert re.search(r"resume.*\bout\b.*softmax\.last\.pt", train(folder, "softmax", "--resume").error)
    with during(4, kill), pytest.raises(KilledError):
        train(folder, "softmax", "--save-every", 0)
    before = sorted((path, path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    refused = train(folder, "softmax", "--resume", "--lr", 0.1, "--batch", 4)
    assert refused.returncode == 2
    assert re.search(r"resume.*batch.*8.*4.*lr.*0\.3.*0\.1.*--accept-changes", refused.error)
    (folder / "columns.txt").write_text(COLUMNS + "Kyiv LOC\n. O\n")
    other = train(folder, "softmax", "--resume")
    assert other.returncode == 2
    assert re.search(r"resume.*data.*softmax\.last\.pt", other.error)
    (folder / "columns.txt").write_text(COLUMNS)
    assert before == sorted((path, path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    assert train(folder, "softmax", "--resume", "--lr", 0.1, "--accept-changes").returncode == 0
    changed = state(folder, "softmax")
    assert changed["settings"]["lr"] == changed["optimizer"]["param_groups"][0]["lr"] == 0.1
    (folder / "columns.txt").write_text(COLUMNS.replace("Rome LOC", "Rome O"))
    relabelled = run("train_window", "--resume", "--out", "softmax.pt", cwd=folder)
    assert re.search(r"resume.*data.*softmax\.last\.pt", relabelled.error)


@pytest.mark.long
def test_a_rate_that_falls_goes_on_falling_from_another_one(folder: Path) -> None:
    train(folder, "window", "--epochs", 4)
    result = train(folder, "window", "--resume", "--accept-changes", "--lr", 0.1, "--epochs", 4)
    assert result.returncode == 0, result.stderr
    train(folder, "window", "--epochs", 3)
    result = train(folder, "window", "--resume", "--accept-changes", "--lr", 0.1, "--epochs", 4)
    assert result.returncode == 0, result.stderr
    rates = [group["lr"] for group in state(folder, "window")["optimizer"]["param_groups"]]
    assert pytest.approx(max(rates)) == 0.1 * 2 / 4  # tau / t, of the biases, which learn at lr itself


def test_a_run_goes_on_with_the_files_it_had(folder: Path) -> None:
    (folder / "dev.txt").write_text(COLUMNS)
    train(folder, "softmax", "--epochs", 1)
    result = run("train_window", "--resume", "--out", "softmax.pt", "--dev", "dev.txt", "--accept-changes", cwd=folder)
    assert re.search(r"resume.*data.*softmax\.last\.pt", result.error)  # and not: train must be given where dev is
