"""Benchmark of the Functions against torch's operators: time, peak memory and saved memory, forward and backward."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor
from tqdm import tqdm

import cs224d_l3 as ours
from evidence.conformance import saved_bytes
from evidence.gradient_methods import TORCH_UNITS
from evidence.operations import Call

from .tables import table
from .timing import Step, medians, peak_bytes, set_up, write_json


class Case(NamedTuple):
    """One row of the table: our function, torch's, and the shapes of their inputs."""

    name: str
    size: str
    ours: Call
    reference: Call
    shapes: tuple[tuple[int, ...], ...]

    def inputs(self) -> list[Tensor]:
        """Standard normal inputs; matrices after the first tensor are weights, scaled by 1 / sqrt(fan_in)."""
        scales = [s[-1] ** -0.5 if i and len(s) == 2 else 1.0 for i, s in enumerate(self.shapes)]
        return [(c * torch.randn(s)).requires_grad_() for s, c in zip(self.shapes, scales, strict=True)]


def layer(affine: Call, f: Call) -> Call:
    return lambda x, W, b: f(affine(x, W, b))


def cases() -> Iterator[Case]:
    """Units at four sizes; then the operations of a window network and of a language model, at their sizes."""
    for name, reference in TORCH_UNITS.items():
        for n in (10**2, 10**4, 10**6, 10**7):
            yield Case(name, f"{n:,}", ours.UNITS[name].f, reference, ((n,),))
    for name, reference in TORCH_UNITS.items():
        both = layer(ours.affine, ours.UNITS[name].f), layer(F.linear, reference)
        yield Case(f"layer, {name}", "1,024 x 256 -> 256", *both, ((1024, 256), (256, 256), (256,)))
    for B in (64, 1024):
        yield Case("affine", f"{B:,} x 250 -> 100", ours.affine, F.linear, ((B, 250), (100, 250), (100,)))
    yield Case(
        "activation",
        "1,024 x 250",
        ours.activation,
        lambda x, w, b: torch.sigmoid(x @ w + b),
        ((1024, 250), (250,), ()),
    )
    yield Case(
        "score",
        "1,024 x 250 -> 100 -> 1",
        ours.score,
        lambda x, W, b, U: F.linear(torch.sigmoid(F.linear(x, W, b)), U).squeeze(-1),
        ((1024, 250), (100, 250), (100,), (1, 100)),
    )
    for V in (1_000, 100_000):
        words = torch.randint(V, (1024, 5))
        both = partial(ours.embedding, words), partial(F.embedding, words)
        yield Case("embedding", f"1,024 x 5 of {V:,} x 50", *both, ((V, 50),))
    yield Case(
        "max_margin_loss",
        "10,000",
        ours.max_margin_loss,
        lambda s, s_c: F.margin_ranking_loss(s, s_c, torch.ones_like(s), margin=1.0),
        ((10_000,), (10_000,)),
    )
    for B, K in ((1024, 10), (2048, 10_000)):
        target = torch.randint(K, (B,))
        both = partial(ours.softmax_cross_entropy, target=target), partial(F.cross_entropy, target=target)
        yield Case("softmax_cross_entropy", f"{B:,} x {K:,}", *both, ((B, K),))
    target = torch.randint(10_000, (2048,))
    yield Case(
        "affine_softmax_cross_entropy",
        "2,048 x 200 -> 10,000",
        partial(ours.affine_softmax_cross_entropy, target=target),
        lambda x, W, b: F.cross_entropy(F.linear(x, W, b), target),
        ((2048, 200), (10_000, 200), (10_000,)),
    )
    yield Case(
        "l2_penalty",
        "1,000 x 1,000",
        lambda W: ours.l2_penalty([W], 0.01),
        lambda W: 0.01 * W.pow(2).sum(),
        ((1000, 1000),),
    )


def forward_backward(f: Call, x: Sequence[Tensor]) -> Step:
    """Step of a forward and a backward pass, which discards output and gradients."""
    grad_output = torch.randn_like(f(*x).detach())
    return lambda: torch.autograd.grad(f(*x), x, grad_output)


def measure(case: Case, device: str, seconds: float, compiled: bool) -> dict[str, object]:
    with torch.device(device):
        x = case.inputs()
    functions = (case.ours, case.reference)
    steps = [forward_backward(f, x) for f in functions]
    eager = medians(steps, device, seconds)
    peaks = [peak_bytes(step, device) for step in steps]
    saved = [saved_bytes(f, x) for f in functions]
    row: dict[str, object] = {
        "name": case.name,
        "size": case.size,
        "ours_s": eager[0],
        "torch_s": eager[1],
        "time": eager[0] / eager[1],
        "peak": peaks[0] / peaks[1],
        "saved": saved[0] / saved[1],
        "ours_peak_bytes": peaks[0],
        "torch_peak_bytes": peaks[1],
        "ours_saved_bytes": saved[0],
        "torch_saved_bytes": saved[1],
    }
    if compiled:
        torch._dynamo.reset()
        compiled_steps = [forward_backward(torch.compile(f, fullgraph=True, dynamic=False), x) for f in functions]
        ours_s, torch_s = medians(compiled_steps, device, seconds)
        row |= {"ours_compiled_s": ours_s, "torch_compiled_s": torch_s, "compiled": ours_s / torch_s}
    return row


def functions(
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int = torch.get_num_threads(),
    seconds: float = 0.6,
    compiled: bool = True,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Time the Functions and torch's operators.

    Args:
        names: prefixes of the cases to run; none: all.
        device: cpu or cuda.
        threads: CPU threads.
        seconds: time per pair, eager and compiled.
        compiled: also time both with torch.compile; needs a C++ compiler, or a GPU.
        json_file: JSON file for the measurements.
    """
    where = set_up(device, threads)
    with torch.device(device):  # the cases contain indices
        all_cases = list(cases())
    selected = [case for case in all_cases if not names or case.name.startswith(names)]
    if not selected:
        known = ", ".join(dict.fromkeys(case.name for case in all_cases))
        raise SystemExit(f"names must be prefixes of {known}, got {', '.join(names)}")
    rows = [measure(case, device, seconds, compiled) for case in tqdm(selected, unit="case")]
    print(f"{where}, forward and backward; ratios are ours / torch's\n")
    ratios = ["time", *(["compiled"] if compiled else []), "peak", "saved"]
    table(
        "Function",
        ["size", "ours, us", "torch, us", *ratios],
        [
            [
                str(row["name"]),
                str(row["size"]),
                *(f"{1e6 * float(str(row[key])):,.0f}" for key in ("ours_s", "torch_s")),
                *(f"{float(str(row[key])):.2f}" for key in ratios),
            ]
            for row in rows
        ],
    )
    write_json(json_file, where, rows)
