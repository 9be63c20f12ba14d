"""A run keeps what it has reached, whatever happens to it."""

import contextlib
import errno
import gc
import json
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cs224d_l3.text.arrays import ArrayBuilder, InOrder, Shuffled, around
from cs224d_l3.text.files import CannotSaveError, atomic_write, load_checkpoint, save_checkpoint
from running import Result, run, start
from training.outputs import rename_earlier
from training.run import Run

ROOT = Path(__file__).parents[1]
COLUMNS = "".join(f"{who} O\nlives O\nin O\n{where} LOC\n. O\n\n" for who in "ABCDEFGH" for where in ("Rome", "Oslo"))
TEXT = "the cat sat .\na the dog ran .\nthe dog sat .\n" * 12
SMALL = ("--d", 4, "--hidden", 4, "--batch", 8, "--lr", 0.3, "--threads", 1, "--epochs", 3)
TRAINERS = {
    "softmax": ("train_window", "--train", "columns.txt", "--l2", 1e-3),
    "max-margin": ("train_window", "--train", "columns.txt", "--objective", "max-margin"),
    "window": ("train_language_model", "--train", "text.txt", "--tau", 2, "--size", 2),
    "recurrent": ("train_language_model", "--train", "text.txt", "--model", "recurrent", "--rows", 4, "--steps", 3),
    "vectors": ("train_vectors", "--train", "text.txt", "--window", 3),
}  # fmt: skip


class KilledError(BaseException):
    """What SIGKILL is to a run that has this process to itself."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "columns.txt").write_text(COLUMNS)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


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
        assert "going on in epoch" in again.stdout
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


def test_a_run_that_has_ended_goes_on_for_more_epochs(folder: Path) -> None:
    train(folder, "softmax", "--epochs", 5, "--patience", 9)
    expected = state(folder, "softmax")
    train(folder, "softmax", "--epochs", 2, "--patience", 9)
    assert run("train_window", "--resume", "--out", "softmax.pt", cwd=folder).returncode == 0  # nothing left to do
    more = run("train_window", "--resume", "--out", "softmax.pt", "--epochs", 5, cwd=folder)
    assert more.returncode == 0, more.stderr
    assert_same(state(folder, "softmax"), expected)


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


@pytest.mark.usefixtures("handlers")
def test_a_signal_within_a_save_is_not_lost(folder: Path) -> None:
    def save(path: Path, content: dict[str, Any]) -> None:
        save_checkpoint(path, content)
        if content["step"] == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    with mock.patch("training.run.save_checkpoint", save):
        assert train(folder, "softmax", "--save-every", 0).returncode == 128 + signal.SIGTERM
    assert state(folder, "softmax")["step"] == 6


# ------------------------------------------------------------------------------------------------- trouble


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


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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


# ------------------------------------------------------------------------------------------------- records


def test_an_earlier_run_is_moved_aside(folder: Path) -> None:
    for i in range(3):
        result = train(folder, "softmax", "--epochs", i + 1)
    assert "an earlier run is now softmax.2.pt" in result.stdout
    epochs = [load_checkpoint(folder / f"softmax{n}.last.pt", {"epoch"})["epoch"] for n in (".1", ".2", "")]
    assert epochs == [2, 3, 4]
    assert (folder / "softmax.1.events").is_dir()
    assert rename_earlier(folder / "never.pt") is None


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
    assert [e.value for e in events.Scalars("dev_f1")] == pytest.approx([line["dev_f1"] for line in numbers(found)])

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


# -------------------------------------------------------------------------------------------------- arrays


@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 99))
def test_an_order_is_a_permutation_in_pieces(N: int, size: int, seed: int) -> None:
    """Small enough for one, or in pieces; the same however it is read."""
    for at_once in (16, 100):
        with (
            mock.patch("cs224d_l3.text.arrays.SHUFFLE_BUFFER", at_once),
            mock.patch("cs224d_l3.text.arrays.BLOCK", 4),
        ):
            orders = [Shuffled(N, size, torch.Generator().manual_seed(seed)) for _ in range(2)]
            forward = [orders[0][i].tolist() for i in range(len(orders[0]))]
            backward = [orders[1][i].tolist() for i in reversed(range(len(orders[1])))]
            assert forward == backward[::-1]
            assert sorted(chain.from_iterable(forward)) == list(range(N))
            assert all(len(batch) == size for batch in forward[:-1])
            with pytest.raises(IndexError):
                orders[0][len(orders[0])]


def test_an_order_in_pieces_is_well_mixed() -> None:
    N = 40_000
    with mock.patch("cs224d_l3.text.arrays.SHUFFLE_BUFFER", 4_000), mock.patch("cs224d_l3.text.arrays.BLOCK", 16):
        order = torch.cat(list(Shuffled(N, 50, torch.Generator().manual_seed(0)))).double()
    places = torch.arange(N).double()
    assert abs(torch.corrcoef(torch.stack([order, places]))[0, 1]) < 0.05
    assert (order.diff().abs() < 16).double().mean() < 0.01
    means = order.view(-1, 50).mean(1)  # of a batch: as those of independent draws
    assert means.std() == pytest.approx(N / 12**0.5 / 50**0.5, rel=0.15)


@given(st.lists(st.lists(st.integers(-100, 100), max_size=5), max_size=12), st.integers(0, 40))
def test_numbers_grow_in_memory_and_on_the_disk(pieces: list[list[int]], limit: int) -> None:
    with mock.patch("cs224d_l3.text.arrays.IN_MEMORY", limit), ArrayBuilder("h") as growing:
        for piece in pieces:
            growing.extend(piece)
        found = growing.tensor()
    assert found.dtype == torch.int16
    assert found.tolist() == list(chain.from_iterable(pieces))


def test_words_around_a_place() -> None:
    text = torch.tensor([5, 6, 7, 8], dtype=torch.int32)
    found = around(text, torch.tensor([0, 2, 3]), 2, 1)
    assert found.tolist() == [[0, 0, 5, 6], [5, 6, 7, 8], [6, 7, 8, 0]]
    assert found.dtype == torch.int64
    assert torch.cat(list(InOrder(7, 3))).tolist() == list(range(7))


# ----------------------------------------------------------------------------------------------- processes


def torchrun(folder: Path, script: Path, *arguments: object, **environment: str) -> Result:
    local = ("--standalone", "--local-addr", "127.0.0.1")  # where the name of the machine leads nowhere
    command = ("-m", "torch.distributed.run", *local, "--nproc-per-node", 2, "--")
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


def test_a_checkpoint_says_what_wrote_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", {"x": 1})
    assert load_checkpoint(tmp_path / "a.pt", {"x"})["version"] == "0.1.0"
