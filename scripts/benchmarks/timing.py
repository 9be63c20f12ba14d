"""Timing and peak memory, shared by the benchmarks."""

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
REPEATS = 10  # steps per measurement


def set_up(device: str, threads: int) -> str:
    """Set up the process for timing; returns a description of torch and the hardware."""
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("device must be cpu where torch finds no GPU, got cuda")
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # silences the profiler
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {threads} threads of {os.cpu_count()} cores"
    return f"torch {torch.__version__}, {where}, float32"


def medians(steps: Sequence[Step], device: str, seconds: float) -> list[float]:
    """Median seconds of each step; the steps are interleaved, for ``seconds`` in all, after three warm-up rounds."""

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
    """Peak memory of a step beyond the memory allocated before it, as counted by the allocator."""
    step()  # warm up: one-time caches are not part of the peak
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    allocated = peak = 0
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    for event in sorted(events, key=lambda e: e.start_ns()):
        allocated += event.nbytes()
        peak = max(peak, allocated)
    return peak


def training_step(optimizers: Sequence[torch.optim.Optimizer], J: Callable[[], Tensor]) -> Step:
    """Training step: forward pass, backward pass and update."""

    def run() -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        J().backward()
        for optimizer in optimizers:
            optimizer.step()

    return run


def repeated(step: Step) -> Step:
    """Step repeated ``REPEATS`` times: as in training, caches hold the data of the same kind of step."""

    def run() -> None:
        for _ in range(REPEATS):
            step()

    return run


def write_json(path: Path | None, where: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the measurements as JSON, if a path is given."""
    if path is not None:
        path.write_text(json.dumps({"where": where, "rows": rows}, indent=1) + "\n", encoding="utf-8")
