"""What a run prints and records, and under which names."""

import json
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from cs224d_l3.text.files import load_checkpoint, save_checkpoint
from running import run
from training.outputs import rename_earlier
from trainings import SMALL, TRAINERS, KilledError, during, kill, train


def test_an_earlier_run_is_moved_aside(folder: Path) -> None:
    for i in range(3):
        result = train(folder, "softmax", "--epochs", i + 1)
    assert "renamed to softmax.2.pt" in result.stdout
    epochs = [load_checkpoint(folder / f"softmax{n}.last.pt", {"epoch"})["epoch"] for n in (".1", ".2", "")]
    assert epochs == [2, 3, 4]
    assert (folder / "softmax.1.events").is_dir()
    assert rename_earlier(folder / "never.pt") is None


def test_runs_of_other_names_keep_out_of_each_others_way(folder: Path) -> None:
    script, *own = TRAINERS["softmax"]
    for out in ("lr0.1", "lr0.2", "a.txt", "a.pt", "j.jsonl"):
        result = run(str(script), *own, *SMALL, "--out", out, cwd=folder)
        assert result.returncode == 0, result.stderr
        assert "earlier run" not in result.stdout
    assert all((folder / name).exists() for name in ("lr0.1.last.pt", "lr0.2.last.pt", "a.txt.last.pt", "a.last.pt"))
    refused = run(str(script), *own, "--out", "a.last.pt", cwd=folder)
    assert refused.returncode == 2
    assert re.search(r"\bout\b.* a\.last\.pt", refused.error)


@pytest.mark.long
def test_a_run_is_recorded_once_however_often_it_was_stopped(folder: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(folder, "softmax", "--save-every", 1e9)
    expected = [json.loads(line) for line in (folder / "softmax.jsonl").read_text().splitlines()]
    for step in (15, 20):
        with during(step, kill), pytest.raises(KilledError):
            train(folder, "softmax", "--save-every", 1e9, *(["--resume"] if step > 15 else []))
    path = folder / "softmax.jsonl"
    path.write_text(path.read_text() + '{"step": 99')  # the process was ended within a line
    assert train(folder, "softmax", "--resume").returncode == 0
    found = [json.loads(line) for line in (folder / "softmax.jsonl").read_text().splitlines()]
    assert found[0]["settings"]["batch"] == 8
    assert found[0]["versions"]["torch"] == torch.__version__

    def numbers(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in line.items() if k != "speed"} for line in lines if "settings" not in line]

    assert numbers(found) == numbers(expected)
    events = EventAccumulator(str(folder / "softmax.events")).Reload()
    for name in ("dev_word_f1", "dev_word_f1/LOC", "dev_accuracy"):
        assert [e.value for e in events.Scalars(name)] == pytest.approx([line[name] for line in numbers(found)])

    def kill_before_saving(path: Path, content: dict[str, Any]) -> None:
        if content["epoch"] == 3 and content["position"] == 0:
            raise KilledError
        save_checkpoint(path, content)

    with mock.patch("training.run.save_checkpoint", kill_before_saving), pytest.raises(KilledError):
        train(folder, "softmax", "--save-every", 0)
    train(folder, "softmax", "--resume")
    found = [json.loads(line) for line in (folder / "softmax.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in found if "epoch" in line] == [1, 2, 3]


def test_quiet_prints_the_result_alone(folder: Path) -> None:
    result = train(folder, "softmax", "--quiet")
    assert result.stdout.startswith("best epoch")
    assert result.stderr == ""
