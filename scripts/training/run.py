"""A run of training, as all trainers share it: it goes through the epochs, shows and records them, keeps what it has
reached, and goes on from there after a stop.

A run leaves four things, named after --out: the best model (runs/window.pt), the state to go on from
(runs/window.last.pt), its records (runs/window.jsonl), and the same for TensorBoard (runs/window.events).
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

from cs224d_l3.text.files import check_output, load_checkpoint, save_checkpoint

from .command import NotFiniteError, Stopped, discard_output, pick_device
from .outputs import files_of, set_aside
from .processes import Processes, processes
from .records import Records
from .settings import RunSettings, plain
from .task import Dev, Objective, Task


class Run:
    """One run of a task: where it stands, and how it goes on."""

    def __init__(self, settings: RunSettings, task: Task, generator: torch.Generator, together: Processes) -> None:
        self.settings, self.task, self.generator, self.together = settings, task, generator, together
        self.files = files_of(settings.out)
        self.epoch, self.position, self.step = 1, 0, 0
        self.best, self.best_epoch, self.seconds, self.skipped = -math.inf, 0, 0.0, 0
        self.total, self.examples, self.finished = 0.0, 0, False
        self.order = generator.get_state()  # at the start of the epoch
        self.signal = 0
        self.objective = together.together(Objective(task))
        self.records: Records | None = None
        self.saved = time.monotonic()

    # ------------------------------------------------------------------------------------------- training

    def fit(self) -> None:
        """To the last epoch, or until dev gets no better."""
        if self.together.rank:  # the first goes on with the numbers that a single process would draw
            torch.manual_seed(self.settings.seed + self.together.rank)
        if self.settings.resume:
            self._load()
        elif self.together.is_first and (earlier := set_aside(self.settings.out)):
            self.say(f"an earlier run is now {earlier}")
        if self.together.is_first:
            step = self.step if self.settings.resume else None
            files = self.files["records"], self.files["events"]
            self.records = Records(*files, plain(self.settings), step, self.epoch)
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
        start, seen, first = time.perf_counter(), self.examples, self.position
        hidden = True if self.settings.quiet or not self.together.is_first else None
        with tqdm(
            total=len(batches), initial=first, desc=f"epoch {self.epoch}", unit="batch", leave=False, disable=hidden
        ) as bar:
            while self.position < len(batches):
                self._update(batches[self.position])
                self.position += 1
                self.step += 1
                bar.update()
                if self.step % 100 == 0:
                    J = self.total / max(self.examples, 1)
                    bar.set_postfix_str(self.task.describe(J))
                    self._record(loss=J)
                self._pause()
        total, examples, done = self.together.sums(self.total, self.examples, self.examples - seen)
        speed = done / (time.perf_counter() - start)
        self.task.after_epoch()
        dev: Dev = self.together.from_first(self.task.evaluate)
        self.seconds += time.perf_counter() - start
        J = total / max(examples, 1)
        self.say(
            f"epoch {self.epoch:2}  {self.task.describe(J)}  dev {dev.text}  {speed:,.0f} {self.task.noun}/s"
            + (f"  {self.skipped} updates skipped" if self.skipped else "")
        )
        self._record(epoch=self.epoch, epoch_loss=J, speed=speed, **dev.numbers)
        if not math.isfinite(dev.score):
            raise NotFiniteError(f"dev has no finite score after epoch {self.epoch}{self._advice()}")
        if dev.score > self.best:
            self.best, self.best_epoch = dev.score, self.epoch
            self.together.from_first(lambda: self.task.save(self.settings.out))
        self.finished = self.epoch - self.best_epoch >= self.settings.patience
        self.epoch, self.position, self.total, self.examples = self.epoch + 1, 0, 0.0, 0
        self.order = self.generator.get_state()
        self.save()
        self._stop(self._agreed_signal())

    def _update(self, batch: Sequence[Tensor]) -> None:
        (own, weight), carried = self.together.share(batch), self.task.state
        J = self.objective(*own)
        value, penalty = J.item(), self.task.penalty()
        objective = J * weight if weight != 1 else J
        self.task.optimizer.zero_grad()
        (objective if penalty is None else objective + penalty).backward()
        self.together.average_rows(self.task.model)
        if not self._is_finite(value):
            if not self.settings.skip_nonfinite:
                raise NotFiniteError(self._trouble(value, batch))
            self.skipped, self.task.state = self.skipped + 1, carried
            return
        self.task.optimizer.step()
        self.task.after_update()
        count = own[-1].numel() if weight else 0
        self.total += value * count
        self.examples += count

    def _is_finite(self, value: float) -> bool:
        """Of the loss and all gradients; every process comes to the same answer, as the gradients are the same."""
        if self.together.count == 1 and not math.isfinite(value):
            return False
        gradients = [g for theta in self.task.model.parameters() if (g := theta.grad) is not None]
        parts = [g._values() if g.is_sparse else g for g in gradients]
        return bool(torch.stack(torch._foreach_norm(parts, 1)).sum().isfinite())

    def _trouble(self, value: float, batch: Sequence[Tensor]) -> str:
        """Step, batch, and the first tensor that is not finite: a parameter, a gradient, or else the loss."""

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
        kept = f"; {last} has the last good state" if self.step and last.exists() else ""
        return f": try a smaller --lr than {getattr(self.settings, 'lr', None)}, or --skip-nonfinite{kept}"

    # ----------------------------------------------------------------------------------- stops and states

    def _pause(self) -> None:
        """Saves where it is time, stops where a signal has asked for it; several processes ask now and then."""
        if self.together.count > 1 and self.step % 16:
            return
        asked, due = self._agreed_signal(), time.monotonic() - self.saved >= self.settings.save_every
        if self.together.sums(due and self.together.is_first)[0] or asked:
            self.save()
        self._stop(asked)

    def _agreed_signal(self) -> int:
        """The signal that any of the processes has got; 0 for none."""
        votes = self.together.sums(*(self.signal == number for number in _SIGNALS))
        return next((number for number, vote in zip(_SIGNALS, votes, strict=True) if vote), 0)

    def _stop(self, asked: int) -> None:
        if asked:
            where = f"stopped in epoch {self.epoch} after {self.step} updates, and saved: --resume goes on from there"
            raise Stopped(asked, where if self.together.is_first else "")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM asks to stop after the update; a second one does not ask. A signal that is
        ignored, as `nohup` and a shell's background jobs have it, stays ignored."""

        def ask(number: int, _: Any) -> None:
            if self.signal:
                raise KeyboardInterrupt
            self.signal = number

        heard = [number for number in _SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
        before = {number: signal.signal(number, ask) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def save(self) -> None:
        """All that it takes to go on, bit for bit."""
        random = {"cpu": torch.get_rng_state()}
        if self.together.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.together.device)
        own = self.together.of_all(
            {"random": random, "total": self.total, "examples": self.examples, "state": self.task.state}
        )
        state = {
            **{name: getattr(self, name) for name in _PLACE},
            "processes": own,
            "order": self.order,
            "generator": self.generator.get_state(),
            "model": self.task.model.state_dict(),
            "optimizer": self.task.optimizer.state_dict(),
            "task": self.task.state_dict(),
            "settings": plain(self.settings),
            "data": self.task.data(),
            "torch": str(torch.__version__),
        }
        self.together.from_first(lambda: save_checkpoint(self.files["last"], state))
        self.saved = time.monotonic()

    def _load(self) -> None:
        path = self.files["last"]
        state = load_checkpoint(path, {"processes", "order", "generator", "model", "optimizer", "task", "data"})
        if state["data"] != self.task.data():
            raise ValueError(f"resume must have the data of {path}, {state['data']}, got {self.task.data()}")
        if len(state["processes"]) != self.together.count and not self.settings.accept_changes:
            raise ValueError(
                f"resume must have as many processes as {path}, {len(state['processes'])}, got {self.together.count}; "
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
            for name in _PLACE:
                setattr(self, name, state[name])
            self.generator.set_state(state["order"])
            self.order = state["order"]
            self.generator.set_state(state["generator"])
            self._load_own(state["processes"])
        except (KeyError, TypeError, AttributeError, RuntimeError, IndexError) as error:
            raise ValueError(f"{path}: expected the state of such a run, and {str(error).splitlines()[0]}") from error
        self.finished = self.best_epoch > 0 and self.epoch - 1 - self.best_epoch >= self.settings.patience
        self.say(f"going on in epoch {self.epoch} after {self.step} updates")

    def _load_own(self, saved: list[dict[str, Any]]) -> None:
        """What each process had of its own; with another number of them, or other rows, it begins anew."""
        if len(saved) != self.together.count:
            if self.together.is_first:
                self.total, self.examples = (sum(own[name] for own in saved) for name in ("total", "examples"))
            return
        own = saved[self.together.rank]
        self.total, self.examples = own["total"], own["examples"]
        if own["state"] is not None and not self.settings.accept_changes:
            self.task.state = own["state"].to(self.together.device)
        torch.set_rng_state(own["random"]["cpu"])
        if self.together.device.type == "cuda" and "cuda" in own["random"]:
            torch.cuda.set_rng_state(own["random"]["cuda"], self.together.device)

    # ------------------------------------------------------------------------------------------- telling

    def say(self, line: str) -> None:
        if self.together.is_first and not self.settings.quiet:
            try:
                print(line, flush=True)
            except BrokenPipeError:  # nobody reads on: the run goes on all the same
                discard_output()

    def _record(self, **numbers: float) -> None:
        if self.records:
            self.records.add(self.step, **numbers)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_PLACE = ("epoch", "position", "step", "best", "best_epoch", "seconds", "skipped")


@contextmanager
def prepared(settings: RunSettings) -> Iterator[tuple[Processes, torch.Generator]]:
    """The device, the processes, the threads and the random numbers of a run."""
    device = pick_device(settings.device)
    check_output(settings.out)
    torch.set_num_threads(settings.threads)
    with processes(device) as together:
        torch.manual_seed(settings.seed)
        yield together, torch.Generator().manual_seed(settings.seed)
