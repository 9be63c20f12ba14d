"""Training in two processes."""

import os
import re
import sys
from pathlib import Path

import pytest
import torch

from cs224d_l3.text.files import load_checkpoint
from running import Result, start
from training.processes import PER_THREAD, Processes
from trainings import SMALL, TRAINERS, assert_same, state, train

ROOT = Path(__file__).parents[1]


def torchrun(folder: Path, script: Path, *arguments: object, restarts: int = 0, **environment: str) -> Result:
    local = ("--standalone", "--local-addr", "127.0.0.1")  # where the name of the machine leads nowhere
    command = ("-m", "torch.distributed.run", *local, "--nproc-per-node", 2, "--max-restarts", restarts, "--")
    return start(*command, script, *arguments, cwd=folder, OMP_NUM_THREADS="1", **environment)


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available() or sys.platform == "win32", reason="needs gloo")
@pytest.mark.parametrize("kind", ["softmax", "max-margin", "recurrent"])
def test_two_processes_train_as_one(folder: Path, kind: str) -> None:
    """Batches that two can share, and last ones of a single window."""
    alone = ("--batch", 7, "--dropout", 0, "--lr", 0.1, "--epochs", 2)
    alone += ("--unknown", 0) if kind != "recurrent" else ()
    one = train(folder, kind, *alone)
    assert one.returncode == 0, one.stderr
    script, *own = TRAINERS[kind]
    two = torchrun(folder, ROOT / "scripts" / f"{script}.py", *own, *SMALL, *alone, "--out", "two.pt")
    assert two.returncode == 0, two.stderr
    assert two.stdout.count("best epoch") == 1
    lines = [
        [line.rsplit("  ", 1)[0] for line in r.stdout.splitlines() if line.startswith("epoch")] for r in (one, two)
    ]
    assert lines[0] == lines[1]
    models = [load_checkpoint(folder / name, {"model"})["model"] for name in (f"{kind}.pt", "two.pt")]
    for name, theta in models[0].items():
        torch.testing.assert_close(models[1][name], theta, rtol=1e-3, atol=1e-4)
    assert len(load_checkpoint(folder / "two.last.pt", {"processes"})["processes"]) == 2
    if kind == "recurrent":
        (folder / "two.last.pt").rename(folder / "recurrent.last.pt")
        refused = train(folder, kind, *alone, "--resume", "--epochs", 3)
        assert re.search(r"resume.*processes.*recurrent\.last\.pt.*\b2\b.*\b1\b", refused.error)
        assert train(folder, kind, *alone, "--resume", "--epochs", 3, "--accept-changes").returncode == 0


FAULT = """
import torch
from training.command import run
from training.processes import process_group


def main():
    with process_group(torch.device("cpu")) as processes:
        processes.all_reduce(1.0)
        assert processes.is_first, "a fault"
        processes.all_reduce(1.0)


run(main)
"""


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available() or sys.platform == "win32", reason="needs gloo")
def test_a_fault_in_one_process_ends_all(tmp_path: Path) -> None:
    (tmp_path / "fault.py").write_text(FAULT)
    result = torchrun(tmp_path, tmp_path / "fault.py", PYTHONPATH=str(ROOT / "scripts"))
    assert result.returncode == 1
    assert "AssertionError: a fault" in result.stderr


KILLED = """
import os
import signal
import sys
from importlib import import_module

from training.command import run
from training.run import Run

step, update = int(sys.argv.pop(1)), Run._update


def disturbed(self, batch):
    if self.step == step and self.processes.rank == 1 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os.kill(os.getpid(), signal.SIGKILL)
    update(self, batch)


Run._update = disturbed
run(import_module(sys.argv.pop(1)).main)
"""


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available() or sys.platform == "win32", reason="needs gloo")
@pytest.mark.parametrize(("kind", "step"), [("softmax", 13), ("window", 30)])  # in the second epoch
def test_a_worker_that_is_killed_is_started_again_and_goes_on(folder: Path, kind: str, step: int) -> None:
    script, *own = TRAINERS[kind]
    (folder / "killed.py").write_text(KILLED)
    places = {"PYTHONPATH": os.pathsep.join(map(str, [ROOT, ROOT / "scripts"]))}
    whole = torchrun(folder, ROOT / "scripts" / f"{script}.py", *own, *SMALL, "--out", "whole.pt")
    assert whole.returncode == 0, whole.stderr
    command = (folder / "killed.py", step, script, *own, *SMALL, "--out", "killed.pt", "--resume", "auto")
    result = torchrun(folder, *command, restarts=1, **places)
    assert result.returncode == 0, result.stderr
    assert "resuming in epoch 2" in result.stdout
    assert_same(state(folder, "killed"), state(folder, "whole"))


def test_threads_are_as_many_as_pay_and_as_there_are_cores() -> None:
    processes = Processes(torch.device("cpu"))
    processes.cores = 8
    assert [processes.threads(n * PER_THREAD) for n in (0, 1, 3, 100)] == [1, 1, 3, 8]
    processes.count = 2  # each computes half of the rows
    assert processes.threads(6 * PER_THREAD) == 3
