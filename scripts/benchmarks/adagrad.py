"""Benchmark of AdaGrad's step against torch.optim.Adagrad's: time, the limit by memory bandwidth, extra memory.

The limit is the time to copy as many bytes: a step reads parameter, gradient and accumulator, and writes parameter and
accumulator.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from torch import nn
from tqdm import tqdm

from cs224d_l3 import AdaGrad

from .tables import table
from .timing import Step, medians, peak_bytes, set_up, write_json

DENSE = ((1, 10_000_000), (200, 10_000), (1_000, 100))
SPARSE = ((100_000, 50, 1_000), (100_000, 50, 5_000), (1_000_000, 64, 1_000), (1_000_000, 64, 5_000))


def dense(count: int, size: int) -> list[nn.Parameter]:
    """Parameters with dense gradients."""
    thetas = [nn.Parameter(torch.randn(size)) for _ in range(count)]
    for theta in thetas:
        theta.grad = torch.randn(size)
    return thetas


def sparse(V: int, d: int, rows: int) -> list[nn.Parameter]:
    """Embedding table with a row-sparse gradient."""
    theta = nn.Parameter(torch.randn(V, d))
    theta.grad = torch.sparse_coo_tensor(torch.randint(V, (1, rows)), torch.randn(rows, d), (V, d))
    return [theta]


def copying(elements: int) -> Step:
    """Copy of the bytes that a step must move: five memory accesses an element, two of which are one copied element."""
    source, target = torch.randn(5 * elements // 2), torch.empty(5 * elements // 2)
    return lambda: target.copy_(source)


def steps(make: Callable[[], list[nn.Parameter]], variants: list[dict[str, Any]]) -> list[Step]:
    """Steps of our optimizer, then of torch's variants."""
    optimizers: list[torch.optim.Optimizer] = [AdaGrad(make())]
    optimizers += [torch.optim.Adagrad(make(), **settings) for settings in variants]
    return [optimizer.step for optimizer in optimizers]


def adagrad(
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int = 1,
    seconds: float = 2.0,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Time the optimizer's step.

    Args:
        device: cpu or cuda.
        threads: CPU threads.
        seconds: time per row.
        json_file: JSON file for the measurements.
    """
    where = set_up(device, threads)
    rows: list[tuple[str, str, list[float]]] = []
    for count, size in tqdm(DENSE, unit="row", leave=False):
        with torch.device(device):
            ours, fused, default = steps(lambda: dense(count, size), [{"fused": True}, {}])  # noqa: B023
            copy = copying(count * size)
        t = medians([ours, fused, default, copy], device, seconds)
        extra = peak_bytes(ours, device) / (4 * count * size)
        found = [*(1e6 * s for s in t[:3]), t[0] / t[1], t[0] / t[2], t[3] / t[0], extra]
        rows.append(("dense", f"{count:,} x {size:,}", found))
    for V, d, touched in tqdm(SPARSE, unit="row", leave=False):
        with torch.device(device):
            ours, coo = steps(lambda: sparse(V, d, touched), [{}])  # noqa: B023
            copy = copying(touched * d)
        t = medians([ours, coo, copy], device, seconds)
        extra = peak_bytes(ours, device) / (4 * V * d)
        found = [1e6 * t[0], math.nan, 1e6 * t[1], math.nan, t[0] / t[1], t[2] / t[0], extra]
        rows.append(("row-sparse", f"{touched:,} of {V:,} x {d}", found))

    print(f"{where}, one step()\n")
    formats = [*["{:,.0f}"] * 3, *["{:.2f}"] * 3, "{:.2%}"]
    names = ["ours, us", "fused, us", "default, us", "ours/fused", "ours/default", "limit/ours", "extra memory"]
    lines = []
    for kind, shape, found in rows:
        cells = ["" if math.isnan(v) else fmt.format(v) for fmt, v in zip(formats, found, strict=True)]
        lines.append([kind, shape, *cells])
    table("gradients", ["size", *names], lines)
    measurements = [
        {"kind": kind, "size": shape} | {n: None if math.isnan(v) else v for n, v in zip(names, found, strict=True)}
        for kind, shape, found in rows
    ]
    write_json(json_file, where, measurements)
