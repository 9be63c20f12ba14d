"""Benchmark of the main job: train_window.py's own loop on a corpus, against a plain loop of torch on the same windows.

Both read windows, look up words and features, drop out, pass through two layers and a softmax, and update. Plain torch
is nn.Embedding(sparse=True), nn.Linear, F.dropout, F.cross_entropy and torch.optim.Adagrad, its windows in memory.
The limit is the sum of the kernels of our step, each timed by itself.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn
from tqdm import tqdm

from train_window import Settings, Tagging
from training.corpus import read_corpus
from training.processes import process_group
from training.run import Run

from .tables import table
from .timing import REPEATS, Step, medians, repeated, set_up, write_json

BATCHES = (64, 256, 1024, 4096)


class PlainTagger(nn.Module):
    """The window network in plain torch."""

    def __init__(self, task: Tagging, dropout: float) -> None:
        super().__init__()
        x, hidden, output = task.model.input, task.model.hidden, task.model.output
        V, d = x.L.weight.shape
        self.L = nn.Embedding(V, d, sparse=True)
        self.C = nn.ModuleList(nn.Embedding(*C.weight.shape) for C in x.C)
        self.hidden, self.output = nn.Linear(*hidden.W.mT.shape), nn.Linear(*output.W.mT.shape)
        self.dropout = dropout

    def forward(self, words: Tensor, features: Sequence[Tensor]) -> Tensor:
        vectors = [self.L(words), *(C(each) for C, each in zip(self.C, features, strict=True))]
        x = F.dropout(torch.cat(vectors, -1).flatten(1), self.dropout, self.training)
        return self.output(torch.tanh(self.hidden(x)))


def ours(task: Tagging, settings: Settings) -> Step:
    """An update as the trainer makes it, one batch after the other."""
    with process_group(torch.device("cpu")) as processes:
        run = Run(settings, task, torch.Generator().manual_seed(0), processes)
    batches = task.batches(run.generator)
    task.model.train()

    def step() -> None:
        if run.position + 1 >= len(batches):
            run.position = 0
        run.take_step(batches)

    return step


def plain(task: Tagging, settings: Settings) -> Step:
    """The same in a loop of plain torch."""
    model = PlainTagger(task, settings.dropout)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=settings.lr)
    words, features = task.train[torch.arange(len(task.train))]
    target, order = task.target.long(), torch.randperm(len(task.train))
    position = 0

    def step() -> float:
        nonlocal position
        position = position + settings.batch if position + 2 * settings.batch <= len(order) else 0
        i = order[position : position + settings.batch]
        optimizer.zero_grad()
        J = F.cross_entropy(model(words[i], [each[i] for each in features]), target[i])
        J.backward()
        optimizer.step()
        return J.item()

    return step


def kernels(task: Tagging, settings: Settings) -> list[Step]:
    """The kernels of our step, each by itself: gathers, random bits, products, tanh, softmax, sums, update."""
    B, x = settings.batch, task.model.input
    words, features = (task.train[torch.arange(B)][k] for k in (0, 1))
    flat = [each.reshape(-1) for each in (words, *features)]
    tables = [t.detach() for t in (x.L.weight, *x.C.parameters())]
    W, b, U, c = (t.detach() for t in (*task.model.hidden.parameters(), *task.model.output.parameters()))
    X, a, z = torch.randn(B, W.shape[1]), torch.randn(B, len(W)), torch.randn(B, len(U))
    bits = torch.empty(-(-X.numel() // 4), dtype=torch.int64)
    numbers = bits.view(torch.int16)[: X.numel()].view(X.shape)
    rows, sums = tables[0].index_select(0, flat[0]), tables[0].index_select(0, flat[0]).square() + 1
    d = [t.shape[1] for t in tables]
    parts = [each.contiguous() for each in X.view(-1, sum(d)).split(d, 1)]
    steps: list[tuple[Tensor, Tensor]] = [(t, t + 1) for t in (W, b, U, c)]

    def update() -> None:
        for theta, G in steps:
            G.addcmul_(theta, theta)
            torch.addcdiv(theta, theta, G.sqrt(), value=-1e-6)

    return [
        *(lambda t=t, i=i: t.index_select(0, i) for t, i in zip(tables, flat, strict=True)),
        lambda: torch.cat(parts, 1),
        lambda: bits.random_(-(2**63), None),
        lambda: torch.ge(numbers, 0, out=torch.empty_like(X)),
        *(lambda: X * X, lambda: X * X),
        *(lambda: torch.addmm(b, X, W.mT), lambda: a.tanh(), lambda: torch.addmm(c, a, U.mT)),
        lambda: z.log_softmax(-1),
        *(lambda: z @ U, lambda: z.mT @ a, lambda: a * a, lambda: a.mT @ X, lambda: a @ W, lambda: a.sum(0)),
        *(
            lambda t=t, i=i, g=g: torch.zeros_like(t).index_add_(0, i, g)
            for t, i, g in zip(tables[1:], flat[1:], parts[1:], strict=True)
        ),
        *(lambda: rows + rows, lambda: sums.sqrt(), lambda: rows / sums, lambda: sums + rows),
        *(lambda: tables[0].index_select(0, flat[0]), lambda: tables[0].index_select(0, flat[0])),
        *(lambda: tables[0].index_copy_(0, flat[0], rows), lambda: tables[0].index_copy_(0, flat[0], rows)),
        update,
    ]


def train(
    data: Path | None = None,
    threads: int = 1,
    seconds: float = 5.0,
    batches: tuple[int, ...] = BATCHES,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Time the main job's loop against a plain loop of torch, in windows a second.

    Args:
        data: column file to train on; none: the Python reference.
        threads: CPU threads.
        seconds: time per row.
        batches: batch sizes.
        json_file: JSON file for the measurements.
    """
    where = set_up("cpu", threads)
    rows: list[dict[str, Any]] = []
    corpus = None
    for B in tqdm(batches, unit="row", leave=False):
        settings = Settings(train=data, batch=B, threads=threads, quiet=True, save_every=1e9)
        corpus = corpus or read_corpus(settings)
        task = Tagging(settings, corpus, torch.device("cpu"))
        t = medians([repeated(ours(task, settings)), repeated(plain(task, settings))], "cpu", seconds)
        limit = sum(medians([repeated(kernel) for kernel in kernels(task, settings)], "cpu", seconds))
        rows.append({"batch": B, "ours_s": t[0] / REPEATS, "speed": t[1] / t[0], "kernels": limit / t[0]})
    print(f"{where}; train_window.py's loop at its defaults, against a plain loop of torch\n")
    columns = ["ours, ms", "windows/s", "speed, ours / torch's", "kernels / ours"]
    lines = [
        [
            f"{row['batch']:,}",
            f"{1e3 * row['ours_s']:.2f}",
            f"{row['batch'] / row['ours_s']:,.0f}",
            f"{row['speed']:.2f}",
            f"{row['kernels']:.2f}",
        ]
        for row in rows
    ]
    table("batch", columns, lines)
    write_json(json_file, where, rows)
