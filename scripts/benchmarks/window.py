"""The window network's whole max-margin step, update included, against the same network in plain torch.

The corrupt window is the true one with another word in its centre, another pair of windows every step, and the words
are drawn evenly: the hardest case for the caches. Plain torch is nn.Embedding, nn.Linear, margin_ranking_loss and
torch.optim.Adagrad: with sparse word vectors; with dense ones, as they come; and both with the fused kernel, which
refuses sparse gradients, so that these keep an optimizer of their own.

The limit is what the machine can do: the rate of one large matrix product, and of copying. A window counts as one pair.
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
from evidence.five_roads import TORCH_UNITS

from .tables import table
from .timing import IN_A_ROW, Step, begin, in_a_row, medians, whole_step, write

D, SIZE, M = 50, 5, 100
BATCHES, VOCABULARIES, SHARES = (64, 256, 1024, 4096), (10_000, 100_000, 1_000_000), (1.0, 0.3, 0.1, 0.01)
PLAIN = {"sparse": (True, False), "sparse, fused": (True, True), "dense, fused": (False, True), "dense": (False, False)}


class Plain(nn.Module):
    """The window network as torch's own layers."""

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
    """Some batches of true and corrupt windows, and the margin that a share of the pairs does not have."""

    def __init__(self, V: int, B: int, share: float, model: WindowScorer) -> None:
        self.batches: list[tuple[Tensor, Tensor]] = []
        leads = []
        with torch.no_grad():
            for _ in range(IN_A_ROW):
                windows = torch.randint(V, (B, SIZE))
                other = corrupt(windows, V)
                lead = model(windows) - model(other)
                wins = (lead >= 0)[:, None]  # the better one of two windows is the true one
                self.batches.append((torch.where(wins, windows, other), torch.where(wins, other, windows)))
                leads.append(lead.abs())
        self.margin = 1e3 if share == 1 else torch.cat(leads).sort()[0][int(share * B * IN_A_ROW)].item()
        self.next = 0

    def __call__(self) -> tuple[Tensor, Tensor]:
        self.next = (self.next + 1) % len(self.batches)
        return self.batches[self.next]


def make(V: int, B: int, share: float, unit: str, plain: Sequence[str], compiled: bool = False) -> list[Step]:
    """Our step, and plain torch's in these variants."""
    ours = WindowScorer(V, D, SIZE, M, UNITS[unit].f, sparse=True)
    pairs = Pairs(V, B, share, ours)
    steps = [
        whole_step([AdaGrad(ours.parameters(), lr=1e-4)], lambda: ours.loss(*pairs(), margin=pairs.margin)),
    ]
    ones = torch.ones(B)
    for name in plain:
        sparse, fused = PLAIN[name]
        model = Plain(V, TORCH_UNITS[unit], sparse)
        state = ours.state_dict()
        names = ["input.L.weight", "hidden.W", "hidden.b", "U"]
        model.load_state_dict({mine: state[name] for mine, name in zip(model.state_dict(), names, strict=True)})
        forward: Any = torch.compile(model) if compiled else model

        def J(forward: Any = forward) -> Tensor:
            windows, other = pairs()
            return F.margin_ranking_loss(forward(windows), forward(other), ones, margin=pairs.margin)

        steps.append(whole_step(model.optimizers(fused), J))
    return steps


def parts(V: int, B: int, unit: str) -> dict[str, Step]:
    """The lookup, the matrix products and the update of our step, each by itself."""
    model = WindowScorer(V, D, SIZE, M, UNITS[unit].f, sparse=True)
    optimizer = AdaGrad(model.parameters(), lr=1e-4)
    pairs = Pairs(V, B, 1.0, model)
    windows, other = pairs()
    model.loss(windows, other, margin=1e3).backward()
    L, W = model.input.L.weight.detach(), model.hidden.W.detach()
    x, e, delta = torch.randn(B, SIZE * D), torch.randn(B, D), torch.randn(B, M)
    V_ = W[:, 2 * D : 3 * D]

    def products() -> None:
        for left, right in ((x, W.mT), (e, V_.mT), (delta, W), (delta, V_), (delta.mT, x), (delta.mT, e)):
            left @ right

    def lookup() -> Tensor:
        windows, other = pairs()
        return L.index_select(0, torch.cat([windows.flatten(), other[:, 2]]))

    return {"lookup": lookup, "products": products, "update": optimizer.step}


def machine(device: str) -> tuple[float, float]:
    """Multiplications and additions a second of a large product, bytes a second of a large copy."""
    with torch.device(device):
        A, B = torch.randn(2048, 2048), torch.randn(2048, 2048)
        source, target = torch.randn(2**24), torch.empty(2**24)
    product, copy = medians([lambda: A @ B, lambda: target.copy_(source)], device, 2.0)
    return 2 * 2048**3 / product, 2 * 4 * 2**24 / copy


def train(
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int = torch.get_num_threads(),
    unit: Literal["sigmoid", "tanh", "hardtanh", "softsign", "relu", "leaky_relu"] = "tanh",
    seconds: float = 5.0,
    compiled: bool = False,
    vocabularies: tuple[int, ...] = VOCABULARIES,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """The window network's whole step against plain torch, and against the machine's limit.

    Args:
        device: where.
        threads: of torch on the CPU.
        unit: the hidden units.
        seconds: for each row.
        compiled: also torch's sparse variant, compiled.
        vocabularies: sizes of the vocabulary.
        json_file: a file that keeps the measurements.
    """
    where = begin(device, threads)
    middle = statistics.median_low(vocabularies)
    rows: list[dict[str, Any]] = []

    def measure(V: int, B: int, share: float, plain: Sequence[str]) -> None:
        with torch.device(device):
            steps = make(V, B, share, unit, plain)
            if compiled:
                steps += make(V, B, share, unit, ["sparse"], compiled=True)[1:]
        t = [burst / IN_A_ROW for burst in medians([in_a_row(step) for step in steps], device, seconds)]
        names = [*plain, *(["compiled"] if compiled else [])]
        found = {name: other / t[0] for name, other in zip(names, t[1:], strict=True)}
        rows.append({"words": V, "pairs": B, "violated": share, "ours_s": t[0], **found})

    cases = [(middle, B, 1.0, list(PLAIN)) for B in BATCHES]
    cases += [(middle, 1024, share, ["sparse", "sparse, fused"]) for share in SHARES[1:]]
    cases += [(V, 1024, 1.0, ["sparse", "sparse, fused"]) for V in vocabularies if middle != V]
    for case in tqdm(cases, unit="row", leave=False):
        measure(*case)
    print(f"{where}; {SIZE} words x {D} -> {M} {unit} -> 1; speed as a multiple of plain torch's\n")
    columns = [*PLAIN, *(["compiled"] if compiled else [])]
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

    rate, bandwidth = machine(device)
    print(f"the machine: {rate / 1e9:,.0f} GFLOP/s in a product, {bandwidth / 1e9:.1f} GB/s in a copy")
    # a pair's products as the network has them: two windows, forward and twice backward
    of_network = 2 * 6 * SIZE * D * M
    of_ours = 6 * (SIZE * D + D) * M
    lines = []
    for B in BATCHES:
        with torch.device(device):
            each = parts(middle, B, unit)
            whole = make(middle, B, 1.0, unit, [])[0]
        t = [burst / IN_A_ROW for burst in medians([in_a_row(s) for s in (whole, *each.values())], device, seconds)]
        shares = [part / t[0] for part in t[1:]]
        limit = [B * flops / rate / t[0] for flops in (of_network, of_ours)]
        lines.append([f"{B:,}", f"{1e3 * t[0]:.2f}", *(f"{s:.0%}" for s in (*shares, 1 - sum(shares), *limit))])
    parts_ = ["whole, ms", "lookup", "products", "update", "the rest"]
    table("pairs", [*parts_, "network's products at the machine's rate", "ours at the machine's rate"], lines)
    write(json_file, where, rows)
