"""Checkpoints: written whole or not at all, and read without running any code."""

import errno
import os
import pickle
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cs224d_l3.text.files import CannotSaveError, atomic_write, load_checkpoint, save_checkpoint
from running import run
from trainings import full_disk, state, train


def test_a_checkpoint_says_what_wrote_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", {"x": 1})
    assert load_checkpoint(tmp_path / "a.pt", {"x"})["version"] == "0.1.0"


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def write(fail: Callable[[], Any]) -> None:
        with atomic_write(path) as partial:
            partial.write_text("half")
            fail()

    with pytest.raises(ZeroDivisionError):
        write(lambda: 1 / 0)
    with pytest.raises(CannotSaveError, match=rf"\bfile: {os.strerror(errno.ENOSPC)}"):
        write(full_disk)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


class Executes:
    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.parts = call, arguments

    def __reduce__(self) -> Any:
        return self.parts


HOSTILE = {
    "os.system": Executes(os.system, "touch harmed"),
    "subprocess": Executes(subprocess.check_output, ["touch", "harmed"]),
    "eval": Executes(eval, "open('harmed', 'w')"),
    "exec": Executes(exec, "open('harmed', 'w')"),
    "open": Executes(open, "harmed", "w"),
    "getattr": Executes(getattr, "harmed", "format"),
    "import": Executes(__import__, "os"),
    "torch.load": Executes(torch.load, "harmed", "cpu"),
    "pathlib": Path("harmed"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("save", [torch.save, lambda content, path: Path(path).write_bytes(pickle.dumps(content))])
def test_a_hostile_file_is_refused_and_not_run(folder: Path, kind: str, save: Callable[..., Any]) -> None:
    keys = "settings model words tags network threshold processes order generator optimizer task data".split()
    for name in ("softmax.last.pt", "evil.pt"):
        save(dict.fromkeys(keys) | {"version": HOSTILE[kind]}, folder / name)
    resumed, tagged = train(folder, "softmax", "--resume"), run("tag", "a", "--checkpoint", "evil.pt", cwd=folder)
    for name, result in (("softmax.last.pt", resumed), ("evil.pt", tagged)):
        assert result.returncode == 2
        assert re.search(rf"{name}: .*\bread\b", result.error)
    assert not (folder / "harmed").exists()


def test_a_damaged_or_newer_state_is_one_sentence(folder: Path) -> None:
    train(folder, "softmax", "--epochs", 1)
    path = folder / "softmax.last.pt"
    whole, content = path.read_bytes(), state(folder, "softmax")
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        result = train(folder, "softmax", "--resume")
        assert (result.returncode, result.stderr.count("\n")) == (2, 1)
        assert re.search(r"softmax\.last\.pt: .*\bread\b", result.error)
    for changed, message in (
        ({**content, "version": "9.0"}, r"version.*9\.0"),
        ({k: v for k, v in content.items() if k != "order"}, "order"),
        ({**content, "model": {}}, "state"),
        ({**content, "optimizer": {}}, "state"),
        ({**content, "order": torch.zeros(3)}, "state"),
        ({**content, "processes": []}, r"\b0\b.*\b1\b"),
        ({**content, "settings": None}, "settings"),
        ({**content, "settings": {"lr": "x"}}, "settings"),
    ):
        torch.save(changed, path)
        result = train(folder, "softmax", "--resume")
        assert result.returncode == 2
        assert re.search(rf"softmax\.last\.pt\b.*{message}", result.error)
        assert "Traceback" not in result.stderr
