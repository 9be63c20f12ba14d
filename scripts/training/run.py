"""Training loop shared by all trainers: epochs, evaluation, early stopping, checkpoints, records, resume.

Output files, named after --out: the best model (runs/window.pt), the state to resume from (runs/window.last.pt), the
records as JSON lines (runs/window.jsonl) and as TensorBoard events (runs/window.events).
"""

import math
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from cs224d_l3 import weight_matrices
from cs224d_l3.text.files import check_output, load_checkpoint, save_checkpoint

from .command import NotFiniteError, Stopped, discard_output, pick_device
from .outputs import output_files, rename_earlier
from .processes import Processes, process_group
from .records import Records
from .settings import RunSettings, to_plain
from .task import Dev, Objective, Task


class Run:
    """Training of one task: its progress, and the training loop."""

    def __init__(self, settings: RunSettings, task: Task, generator: torch.Generator, processes: Processes) -> None:
        self.settings, self.task, self.generator, self.processes = settings, task, generator, processes
        self.files = output_files(settings.out)
        self.epoch, self.position, self.step = 1, 0, 0
        self.best, self.best_epoch, self.seconds, self.skipped = -math.inf, 0, 0.0, 0
        self.total, self.examples, self.finished = 0.0, 0, False
        self.order = generator.get_state()  # state at the start of the epoch, which determines its batches
        self.signal = 0
        self.parameters = list(task.model.parameters())
        self.found_inf, self.one = (torch.full((), x, device=processes.device) for x in (0.0, 1.0))
        if settings.threads is None:
            largest = max(W.numel() for W in weight_matrices(task.model))
            torch.set_num_threads(processes.threads(task.rows * largest))
        self.objective = processes.data_parallel(Objective(task))
        self.records: Records | None = None
        self.saved = time.monotonic()

    # ------------------------------------------------------------------------------------------- training

    def fit(self) -> None:
        """Train up to the last epoch, or until early stopping."""
        if self.processes.rank:  # rank 0 draws the random numbers of a single process
            torch.manual_seed(self.settings.seed + self.processes.rank)
        is_resumed = self.settings.resume == "yes"
        if is_resumed:
            self._load()
        elif self.processes.is_first and (earlier := rename_earlier(self.settings.out)):
            self.log(f"the earlier run was renamed to {earlier}")
        if self.processes.is_first:
            step = self.step if is_resumed else None
            files = self.files["records"], self.files["events"]
            self.records = Records(*files, to_plain(self.settings), step, self.epoch)
        try:
            with self._signals():
                while self.epoch <= self.settings.epochs and not self.finished:
                    self._epoch()
        finally:
            if self.records:
                self.records.close()

    def _epoch(self) -> None:
        now = self.generator.get_state()
        self.generator.set_state(self.order)
        batches = self.task.batches(self.generator)
        if self.position:
            self.generator.set_state(now)
        self.task.model.train()
        start, before, first = time.perf_counter(), self.examples, self.position
        hidden = True if self.settings.quiet or not self.processes.is_first else None
        with tqdm(
            total=len(batches), initial=first, desc=f"epoch {self.epoch}", unit="batch", leave=False, disable=hidden
        ) as bar:
            while self.position < len(batches):
                self.take_step(batches)
                bar.update()
                if self.step % 100 == 0:
                    bar.set_postfix_str(self.task.describe(self.total / max(self.examples, 1)))
        total, examples, done = self.processes.all_reduce(self.total, self.examples, self.examples - before)
        speed = done / (time.perf_counter() - start)
        self.task.after_epoch()
        dev: Dev = self.processes.broadcast(self.task.evaluate)
        self.seconds += time.perf_counter() - start
        J = total / max(examples, 1)
        self.log(
            f"epoch {self.epoch:2}  {self.task.describe(J)}  dev {dev.text}  {speed:,.0f} {self.task.noun}/s"
            + (f"  {self.skipped} updates skipped" if self.skipped else "")
        )
        self._record(epoch=self.epoch, epoch_loss=J, speed=speed, **dev.numbers)
        if not math.isfinite(dev.score):
            raise NotFiniteError(f"the score on dev is {dev.score} after epoch {self.epoch}{self._advice()}")
        if dev.score > self.best:
            self.best, self.best_epoch = dev.score, self.epoch
            self.processes.broadcast(lambda: self.task.save(self.settings.out))
        self.finished = self.epoch - self.best_epoch >= self.settings.patience
        self.epoch, self.position, self.total, self.examples = self.epoch + 1, 0, 0.0, 0
        self.order = self.generator.get_state()
        self.save()
        self._stop(self._received_signal())

    def take_step(self, batches: Sequence[Sequence[Tensor]]) -> None:
        """The update of the next batch, a record every 100, and a checkpoint if it is due."""
        self._update(batches[self.position])
        self.position += 1
        self.step += 1
        if self.step % 100 == 0:
            self._record(loss=self.total / max(self.examples, 1))
        self._checkpoint()

    def _update(self, batch: Sequence[Tensor]) -> None:
        (shard, weight), state = self.processes.shard(batch), self.task.state
        J = self.objective(*shard)
        value, penalty = J.item(), self.task.penalty()
        objective = J * weight if weight != 1 else J
        for theta in self.parameters:
            theta.grad = None
        (objective if penalty is None else objective + penalty).backward()
        self.processes.average_sparse_gradients(self.task.model)
        if not self._is_finite(value):
            if not self.settings.skip_nonfinite:
                raise NotFiniteError(self._nonfinite_message(value, batch))
            self.skipped, self.task.state = self.skipped + 1, state
            return
        self.task.optimizer.step()
        self.task.after_update()
        count = shard[-1].numel() if weight else 0
        self.total += value * count
        self.examples += count

    def _is_finite(self, value: float) -> bool:
        """Whether the loss and all gradients are finite; the same in every process, as the gradients are averaged."""
        if self.processes.count == 1 and not math.isfinite(value):
            return False
        gradients = [g._values() if g.is_sparse else g for theta in self.parameters if (g := theta.grad) is not None]
        self.found_inf.zero_()
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, self.found_inf, self.one)  # as GradScaler does
        return not self.found_inf.item()

    def _nonfinite_message(self, value: float, batch: Sequence[Tensor]) -> str:
        """Message with step, batch and the first non-finite tensor: a parameter, a gradient, or else the loss."""

        def is_bad(t: Tensor | None) -> bool:
            return t is not None and not bool((t.coalesce().values() if t.is_sparse else t).isfinite().all())

        named = list(self.task.model.named_parameters())
        bad = [f"the parameter {name}" for name, theta in named if is_bad(theta.detach())]
        bad += [f"the gradient of {name}" for name, theta in named if is_bad(theta.grad)]
        first = bad[0] if bad else "the loss"
        where = f"step {self.step + 1}, batch {self.position + 1} of epoch {self.epoch}, {len(batch[0])} examples"
        return f"the loss is {value:g} in {where}; the first tensor that is not finite is {first}{self._advice()}"

    def _advice(self) -> str:
        last = self.files["last"]
        saved = f"; {last} has the last finite state" if self.step and last.exists() else ""
        return f": try a smaller --lr than {getattr(self.settings, 'lr', None)}, or --skip-nonfinite{saved}"

    # ----------------------------------------------------------------------------- signals and checkpoints

    def _checkpoint(self) -> None:
        """Save the state if due, and stop if a signal was received; several processes synchronize every 16 steps."""
        if self.processes.count > 1 and self.step % 16:
            return
        received, due = self._received_signal(), time.monotonic() - self.saved >= self.settings.save_every
        if self.processes.all_reduce(due and self.processes.is_first)[0] or received:
            self.save()
        self._stop(received)

    def _received_signal(self) -> int:
        """Signal received by any of the processes; 0 for none."""
        counts = self.processes.all_reduce(*(self.signal == number for number in _SIGNALS))
        return next((number for number, count in zip(_SIGNALS, counts, strict=True) if count), 0)

    def _stop(self, received: int) -> None:
        if received:
            message = f"stopped in epoch {self.epoch} after {self.step} updates, state saved: continue with --resume"
            raise Stopped(received, message if self.processes.is_first else "")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Handlers of SIGINT and SIGTERM: the first signal stops the run after the update, a second one at once.

        An ignored signal stays ignored, as for `nohup` and a shell's background jobs.
        """

        def handle(number: int, _: Any) -> None:
            if self.signal:
                raise KeyboardInterrupt
            self.signal = number

        handled = [number for number in _SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
        before = {number: signal.signal(number, handle) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def save(self) -> None:
        """Save the complete state, so that a resumed run is bitwise identical to an uninterrupted one."""
        random = {"cpu": torch.get_rng_state()}
        if self.processes.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.processes.device)
        per_process = self.processes.all_gather(
            {"random": random, "total": self.total, "examples": self.examples, "state": self.task.state}
        )
        state = {
            **{name: getattr(self, name) for name in _PROGRESS},
            "processes": per_process,
            "order": self.order,
            "generator": self.generator.get_state(),
            "model": self.task.model.state_dict(),
            "optimizer": self.task.optimizer.state_dict(),
            "task": self.task.state_dict(),
            "settings": to_plain(self.settings),
            "data": self.task.data(),
            "torch": str(torch.__version__),
        }
        self.processes.broadcast(lambda: save_checkpoint(self.files["last"], state))
        self.saved = time.monotonic()

    def _load(self) -> None:
        path = self.files["last"]
        state = load_checkpoint(path, {"processes", "order", "generator", "model", "optimizer", "task", "data"})
        if state["data"] != self.task.data():
            raise ValueError(f"resume must have the data of {path}, {state['data']}, got {self.task.data()}")
        if len(state["processes"]) != self.processes.count and not self.settings.accept_changes:
            raise ValueError(
                f"resume must have as many processes as {path}, {len(state['processes'])}, got {self.processes.count}; "
                f"--accept-changes allows it"
            )
        rates = [group["lr"] for group in self.task.optimizer.param_groups]
        try:
            self.task.model.load_state_dict(state["model"])
            self.task.optimizer.load_state_dict(state["optimizer"])
            if self.settings.accept_changes:
                for group, lr in zip(self.task.optimizer.param_groups, rates, strict=True):
                    group["lr"] = lr
            self.task.load_state_dict(state["task"])
            for name in _PROGRESS:
                setattr(self, name, state[name])
            self.generator.set_state(state["order"])
            self.order = state["order"]
            self.generator.set_state(state["generator"])
            self._load_process(state["processes"])
        except (KeyError, TypeError, AttributeError, RuntimeError, IndexError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{path}: expected the state of a run of this script, but {reason}") from error
        if self.best_epoch and not self.files["out"].exists():
            raise ValueError(
                f"resume needs the best model of the run, got {path} without {self.files['out']}: put it back, or "
                f"train anew without --resume"
            )
        self.finished = self.best_epoch > 0 and self.epoch - 1 - self.best_epoch >= self.settings.patience
        self.log(f"resuming in epoch {self.epoch} after {self.step} updates")

    def _load_process(self, saved: list[dict[str, Any]]) -> None:
        """Restore random states, loss sums and hidden state of this process; reset if their number has changed."""
        if len(saved) != self.processes.count:
            if self.processes.is_first:
                self.total, self.examples = (sum(each[name] for each in saved) for name in ("total", "examples"))
            return
        restored = saved[self.processes.rank]
        self.total, self.examples = restored["total"], restored["examples"]
        if restored["state"] is not None and not self.settings.accept_changes:
            self.task.state = restored["state"].to(self.processes.device)
        torch.set_rng_state(restored["random"]["cpu"])
        if self.processes.device.type == "cuda" and "cuda" in restored["random"]:
            torch.cuda.set_rng_state(restored["random"]["cuda"], self.processes.device)

    # -------------------------------------------------------------------------------------------- output

    def log(self, line: str) -> None:
        """Print a line on rank 0, unless --quiet."""
        if self.processes.is_first and not self.settings.quiet:
            try:
                print(line, flush=True)
            except BrokenPipeError:  # the reader has closed the pipe: continue without output
                discard_output()

    def _record(self, **numbers: float) -> None:
        if self.records:
            self.records.add(self.step, **numbers)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_PROGRESS = ("epoch", "position", "step", "best", "best_epoch", "seconds", "skipped")


@contextmanager
def set_up(settings: RunSettings) -> Iterator[tuple[Processes, torch.Generator]]:
    """Set up device, process group, threads and random seeds of a run."""
    device = pick_device(settings.device)
    check_output(settings.out)
    with process_group(device) as processes:
        torch.set_num_threads(settings.threads or 1)
        torch.manual_seed(settings.seed)
        yield processes, torch.Generator().manual_seed(settings.seed)
