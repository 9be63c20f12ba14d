"""Benchmark of the language models' training step against plain torch: time, words a second, memory.

Plain torch is nn.Embedding, nn.Linear, nn.RNN, cross_entropy and torch.optim.Adagrad with default options; tuned torch
has sparse word vectors, and the fused kernel for the other parameters. Memory is the peak within a step, including
gradients, beyond parameters and accumulators, which are the same for all.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn
from tqdm import tqdm

from cs224d_l3 import AdaGrad, RecurrentLanguageModel, WindowLanguageModel

from .tables import table
from .timing import REPEATS, Step, medians, peak_bytes, repeated, set_up, training_step, write_json

V, D, SIZE, M = 10_000, 100, 5, 200
WINDOW_BATCHES = (64, 256, 1024, 4096)
RECURRENT_BATCHES = ((20, 10), (32, 20), (64, 35))


class TorchWindow(nn.Module):
    """Bengio's language model in plain torch."""

    def __init__(self, sparse: bool) -> None:
        super().__init__()
        self.L = nn.Embedding(V, D, sparse=sparse)
        self.hidden, self.output = nn.Linear(SIZE * D, M), nn.Linear(M, V)

    def forward(self, words: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(self.output(torch.tanh(self.hidden(self.L(words).flatten(1)))), target)


class TorchRecurrent(nn.Module):
    """Elman's language model in plain torch."""

    def __init__(self, sparse: bool) -> None:
        super().__init__()
        self.L = nn.Embedding(V, D, sparse=sparse)
        self.hidden, self.output = nn.RNN(D, M, batch_first=True), nn.Linear(M, V)

    def forward(self, words: Tensor, target: Tensor, state: Tensor) -> Tensor:
        a, _ = self.hidden(self.L(words), state[None])
        return F.cross_entropy(self.output(a).flatten(0, 1), target.flatten())


def optimizers_of(model: Any, tuned: bool) -> list[torch.optim.Optimizer]:
    """torch's Adagrad: default; or fused, and unfused for the sparse word vectors, which the kernel rejects."""
    if not tuned:
        return [torch.optim.Adagrad(model.parameters(), lr=0.05)]
    dense = [*model.hidden.parameters(), *model.output.parameters()]
    return [torch.optim.Adagrad(model.L.parameters(), lr=0.05), torch.optim.Adagrad(dense, lr=0.05, fused=True)]


def window_steps(B: int) -> list[Step]:
    words, target = torch.randint(V, (B, SIZE)), torch.randint(V, (B,))
    ours = WindowLanguageModel(V, D, SIZE, M, sparse=True)
    steps = [training_step([AdaGrad(ours.parameters(), lr=0.05)], lambda: ours.loss(words, target))]
    for tuned in (False, True):
        model = TorchWindow(sparse=tuned)
        steps.append(training_step(optimizers_of(model, tuned), lambda model=model: model(words, target)))  # type: ignore[misc]
    return steps


def recurrent_steps(B: int, T: int) -> list[Step]:
    words, target, state = torch.randint(V, (B, T)), torch.randint(V, (B, T)), torch.zeros(B, M)
    ours = RecurrentLanguageModel(V, D, M, sparse=True)
    steps = [training_step([AdaGrad(ours.parameters(), lr=0.05)], lambda: ours.loss(words, target, state)[0])]
    for tuned in (False, True):
        model = TorchRecurrent(sparse=tuned)
        steps.append(training_step(optimizers_of(model, tuned), lambda model=model: model(words, target, state)))  # type: ignore[misc]
    return steps


def language_models(
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int = torch.get_num_threads(),
    seconds: float = 10.0,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Time the training step of the language models.

    Args:
        device: cpu or cuda.
        threads: CPU threads.
        seconds: time per row.
        json_file: JSON file for the measurements.
    """
    where = set_up(device, threads)
    cases: list[tuple[str, str, int, Callable[[], list[Step]]]] = [
        ("window", f"{B:,}", B, lambda B=B: window_steps(B))  # type: ignore[misc]
        for B in WINDOW_BATCHES
    ]
    cases += [
        ("recurrent", f"{B} x {T}", B * T, lambda B=B, T=T: recurrent_steps(B, T))  # type: ignore[misc]
        for B, T in RECURRENT_BATCHES
    ]
    rows = []
    for name, size, words, make in tqdm(cases, unit="row", leave=False):
        with torch.device(device):
            steps = make()
        t = [median / REPEATS for median in medians([repeated(step) for step in steps], device, seconds)]
        peak = [peak_bytes(step, device) for step in steps]
        rows.append(
            {
                "model": name,
                "words a step": size,
                "ours, words/s": words / t[0],
                "speed / torch": t[1] / t[0],
                "speed / tuned torch": t[2] / t[0],
                "memory / torch": peak[0] / peak[1],
                "memory / tuned torch": peak[0] / peak[2],
                "ours, MB": peak[0] / 1e6,
            }
        )
    print(f"{where}, V = {V:,}, d = {D}, {M} tanh\n")
    columns = list(rows[0])[1:]
    formats = ["{}", "{:,.0f}", *["{:.2f}"] * 4, "{:.0f}"]
    table(
        "model",
        columns,
        [[str(row["model"]), *(fmt.format(row[c]) for fmt, c in zip(formats, columns, strict=True))] for row in rows],
    )
    write_json(json_file, where, rows)
