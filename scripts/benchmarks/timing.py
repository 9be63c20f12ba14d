"""What the benchmarks share: fair times, peak memory, and what they say of the machine."""

import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

Step = Callable[[], object]
IN_A_ROW = 10


def begin(device: str, threads: int) -> str:
    """Sets the process up for timing; returns where that is."""
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("device cuda: torch finds no GPU here")
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's own messages
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {threads} threads of {os.cpu_count()} cores"
    return f"torch {torch.__version__}, {where}, float32"


def medians(steps: Sequence[Step], device: str, seconds: float) -> list[float]:
    """Median seconds of each, the steps taken in turn."""

    def run(step: Step) -> float:
        start = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    for _ in range(3):
        each = [run(step) for step in steps]
    rounds = min(max(int(seconds / sum(each)), 9), 3000)
    times = [[run(step) for step in steps] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def peak_bytes(step: Step, device: str) -> int:
    """The most memory that is held at once beyond what is held before, as the allocator counts it."""
    step()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    held = peak = 0
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def whole_step(optimizers: Sequence[torch.optim.Optimizer], J: Callable[[], Tensor]) -> Step:
    """A step of training: gradients and update."""

    def run() -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        J().backward()
        for optimizer in optimizers:
            optimizer.step()

    return run


def in_a_row(step: Step) -> Step:
    """Ten steps, as in training: a step finds the memory as its own kind has left it."""

    def burst() -> None:
        for _ in range(IN_A_ROW):
            step()

    return burst


def write(path: Path | None, where: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Keeps what was measured, as JSON."""
    if path is not None:
        path.write_text(json.dumps({"where": where, "rows": rows}, indent=1) + "\n", encoding="utf-8")
