"""Benchmark of the window network's max-margin training step, update included, against plain torch.

Corrupt windows replace the centre word; every step has a new batch, whose words are uniformly distributed: the worst
case for the caches. Plain torch is nn.Embedding, nn.Linear, margin_ranking_loss and torch.optim.Adagrad: with sparse
word vectors; with dense ones, the default; and both with the fused kernel, which does not support sparse gradients, so
that the word vectors have a separate, unfused optimizer.

The limit is the machine's peak: the rate of a large matrix product, and of a large copy. Rates are in pairs.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn
from tqdm import tqdm

from cs224d_l3 import UNITS, AdaGrad, WindowScorer, corrupt
from evidence.gradient_methods import TORCH_UNITS

from .tables import table
from .timing import REPEATS, Step, medians, repeated, set_up, training_step, write_json

D, SIZE, M = 50, 5, 100
BATCHES, VOCABULARIES, VIOLATED = (64, 256, 1024, 4096), (10_000, 100_000, 1_000_000), (1.0, 0.3, 0.1, 0.01)
VARIANTS = {  # sparse word vectors, fused kernel
    "sparse": (True, False),
    "sparse, fused": (True, True),
    "dense, fused": (False, True),
    "dense": (False, False),
}


class TorchWindow(nn.Module):
    """The window network in plain torch."""

    def __init__(self, V: int, f: Callable[[Tensor], Tensor], sparse: bool) -> None:
        super().__init__()
        self.L, self.f = nn.Embedding(V, D, sparse=sparse), f
        self.hidden, self.output = nn.Linear(SIZE * D, M), nn.Linear(M, 1, bias=False)

    def forward(self, windows: Tensor) -> Tensor:
        return self.output(self.f(self.hidden(self.L(windows).flatten(1)))).squeeze(1)

    def optimizers(self, fused: bool) -> list[torch.optim.Optimizer]:
        if not fused:
            return [torch.optim.Adagrad(self.parameters(), lr=1e-4)]
        if not self.L.sparse:
            return [torch.optim.Adagrad(self.parameters(), lr=1e-4, fused=True)]
        dense = [*self.hidden.parameters(), *self.output.parameters()]
        return [torch.optim.Adagrad(self.L.parameters(), lr=1e-4), torch.optim.Adagrad(dense, lr=1e-4, fused=True)]


class Pairs:
    """Batches of true and corrupt windows, and the margin that a given fraction of the pairs violates."""

    def __init__(self, V: int, B: int, violated: float, model: WindowScorer) -> None:
        self.batches: list[tuple[Tensor, Tensor]] = []
        differences = []
        with torch.no_grad():
            for _ in range(REPEATS):
                windows = torch.randint(V, (B, SIZE))
                corrupted = corrupt(windows, V)
                difference = model(windows) - model(corrupted)
                wins = (difference >= 0)[:, None]  # the window with the higher score counts as the true one
                self.batches.append((torch.where(wins, windows, corrupted), torch.where(wins, corrupted, windows)))
                differences.append(difference.abs())
        self.margin = 1e3 if violated == 1 else torch.cat(differences).sort()[0][int(violated * B * REPEATS)].item()
        self.next = 0

    def __call__(self) -> tuple[Tensor, Tensor]:
        self.next = (self.next + 1) % len(self.batches)
        return self.batches[self.next]


def make(V: int, B: int, violated: float, unit: str, variants: Sequence[str], compiled: bool = False) -> list[Step]:
    """Our training step, and those of plain torch's variants."""
    ours = WindowScorer(V, D, SIZE, M, UNITS[unit].f, sparse=True)
    pairs = Pairs(V, B, violated, ours)
    steps = [
        training_step([AdaGrad(ours.parameters(), lr=1e-4)], lambda: ours.loss(*pairs(), margin=pairs.margin)),
    ]
    ones = torch.ones(B)
    for name in variants:
        sparse, fused = VARIANTS[name]
        model = TorchWindow(V, TORCH_UNITS[unit], sparse)
        state = ours.state_dict()
        names = ["input.L.weight", "hidden.W", "hidden.b", "U"]
        model.load_state_dict({own: state[name] for own, name in zip(model.state_dict(), names, strict=True)})
        forward: Any = torch.compile(model) if compiled else model

        def J(forward: Any = forward) -> Tensor:
            windows, corrupted = pairs()
            return F.margin_ranking_loss(forward(windows), forward(corrupted), ones, margin=pairs.margin)

        steps.append(training_step(model.optimizers(fused), J))
    return steps


def parts(V: int, B: int, unit: str) -> dict[str, Step]:
    """Embedding lookup, matrix products and update of our step, in isolation."""
    model = WindowScorer(V, D, SIZE, M, UNITS[unit].f, sparse=True)
    optimizer = AdaGrad(model.parameters(), lr=1e-4)
    pairs = Pairs(V, B, 1.0, model)
    model.loss(*pairs(), margin=1e3).backward()
    L, W = model.input.L.weight.detach(), model.hidden.W.detach()
    x, e, delta = torch.randn(B, SIZE * D), torch.randn(B, D), torch.randn(B, M)
    W_centre = W[:, 2 * D : 3 * D]

    def products() -> None:
        for left, right in ((x, W.mT), (e, W_centre.mT), (delta, W), (delta, W_centre), (delta.mT, x), (delta.mT, e)):
            left @ right

    def lookup() -> Tensor:
        windows, corrupted = pairs()
        return L.index_select(0, torch.cat([windows.flatten(), corrupted[:, 2]]))

    return {"lookup": lookup, "products": products, "update": optimizer.step}


def peak_rates(device: str) -> tuple[float, float]:
    """FLOP/s of a large matrix product, and bytes/s of a large copy."""
    with torch.device(device):
        A, B = torch.randn(2048, 2048), torch.randn(2048, 2048)
        source, target = torch.randn(2**24), torch.empty(2**24)
    product, copy = medians([lambda: A @ B, lambda: target.copy_(source)], device, 2.0)
    return 2 * 2048**3 / product, 2 * 4 * 2**24 / copy


def margin(
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int = torch.get_num_threads(),
    unit: Literal["sigmoid", "tanh", "hardtanh", "softsign", "relu", "leaky_relu"] = "tanh",
    seconds: float = 5.0,
    compiled: bool = False,
    vocabularies: tuple[int, ...] = VOCABULARIES,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Time the window network's training step against plain torch, and against the machine's limit.

    Args:
        device: cpu or cuda.
        threads: CPU threads.
        unit: activation function of the hidden units.
        seconds: time per row.
        compiled: also time torch's sparse variant with torch.compile.
        vocabularies: vocabulary sizes.
        json_file: JSON file for the measurements.
    """
    where = set_up(device, threads)
    middle = statistics.median_low(vocabularies)
    rows: list[dict[str, Any]] = []

    def measure(V: int, B: int, violated: float, variants: Sequence[str]) -> None:
        with torch.device(device):
            steps = make(V, B, violated, unit, variants)
            if compiled:
                steps += make(V, B, violated, unit, ["sparse"], compiled=True)[1:]
        t = [median / REPEATS for median in medians([repeated(step) for step in steps], device, seconds)]
        names = [*variants, *(["compiled"] if compiled else [])]
        speed = {name: median / t[0] for name, median in zip(names, t[1:], strict=True)}
        rows.append({"words": V, "pairs": B, "violated": violated, "ours_s": t[0], **speed})

    cases = [(middle, B, 1.0, list(VARIANTS)) for B in BATCHES]
    cases += [(middle, 1024, violated, ["sparse", "sparse, fused"]) for violated in VIOLATED[1:]]
    cases += [(V, 1024, 1.0, ["sparse", "sparse, fused"]) for V in vocabularies if middle != V]
    for case in tqdm(cases, unit="row", leave=False):
        measure(*case)
    print(f"{where}; {SIZE} words x {D} -> {M} {unit} -> 1; speed relative to plain torch's\n")
    columns = [*VARIANTS, *(["compiled"] if compiled else [])]
    lines = [
        [
            f"{row['words']:,}",
            f"{row['pairs']:,}",
            f"{row['violated']:.0%}",
            f"{1e3 * row['ours_s']:.2f}",
            f"{row['pairs'] / row['ours_s']:,.0f}",
            *(f"{row[name]:.2f}" if name in row else "" for name in columns),
        ]
        for row in rows
    ]
    table("words", ["pairs", "violated", "ours, ms", "pairs/s", *columns], lines)

    rate, bandwidth = peak_rates(device)
    print(f"machine peak: {rate / 1e9:,.0f} GFLOP/s in a matrix product, {bandwidth / 1e9:.1f} GB/s in a copy")
    # FLOP of a pair's matrix products, one forward and two backward: for two whole windows; for one and a centre word
    network_flops = 2 * 6 * SIZE * D * M
    our_flops = 6 * (SIZE * D + D) * M
    lines = []
    for B in BATCHES:
        with torch.device(device):
            each = parts(middle, B, unit)
            step = make(middle, B, 1.0, unit, [])[0]
        t = [median / REPEATS for median in medians([repeated(s) for s in (step, *each.values())], device, seconds)]
        fractions = [part / t[0] for part in t[1:]]
        limits = [B * flops / rate / t[0] for flops in (network_flops, our_flops)]
        cells = (f"{s:.0%}" for s in (*fractions, 1 - sum(fractions), *limits))
        lines.append([f"{B:,}", f"{1e3 * t[0]:.2f}", *cells])
    columns = ["step, ms", "lookup", "products", "update", "other"]
    table("pairs", [*columns, "network's products at peak rate", "our products at peak rate"], lines)
    write_json(json_file, where, rows)
