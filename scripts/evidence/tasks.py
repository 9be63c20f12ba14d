"""Data sets and training loop shared by the experiments."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cs224d_l3 import (
    UNITS,
    InverseDecay,
    Layer,
    l2_penalty,
    sliding_windows,
    softmax_cross_entropy,
    weight_matrices,
)
from cs224d_l3.text.corpora import OUTSIDE, Vocabulary
from cs224d_l3.text.python_corpus import python_reference


class Digits(NamedTuple):
    """scikit-learn's handwritten digits, 8 x 8, as a random train/test split."""

    x: Tensor
    target: Tensor
    test_x: Tensor
    test_target: Tensor


def digits(seed: int, train: int = 1200) -> Digits:
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    data = load_digits()
    x, target = torch.from_numpy(data.data).float() / 8 - 1, torch.from_numpy(data.target).long()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    first, rest = order[:train], order[1200:]
    return Digits(x[first], target[first], x[rest], target[rest])


class Words(NamedTuple):
    """Windows of the Python reference, labelled by whether their centre word is code."""

    windows: Tensor
    target: Tensor
    test_windows: Tensor
    test_target: Tensor
    counts: Tensor  # word counts in training
    V: int
    vocabulary: Vocabulary


@cache
def words(seed: int) -> Words:
    splits = python_reference(seed)
    vocabulary = Vocabulary((w for s in splits.train for w in s.words), lower=False)

    def windows(part: list) -> tuple[Tensor, Tensor]:  # type: ignore[type-arg]
        found = [sliding_windows(vocabulary.encode(s.words), 5, vocabulary.pad) for s in part]
        return torch.cat(found), torch.tensor([int(tag != OUTSIDE) for s in part for tag in s.tags])

    train, test = windows(splits.train), windows(splits.test)
    return Words(*train, *test, torch.bincount(train[0][:, 2], minlength=len(vocabulary)), len(vocabulary), vocabulary)


# ----------------------------------------------------------------------------------------------- training


def epochs(N: int, size: int, count: int, seed: int) -> Iterator[Tensor]:
    """Batches of the indices below N, reshuffled every epoch."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        yield from torch.randperm(N, generator=generator).split(size)


def fit(
    model: nn.Module,
    x: Tensor,
    target: Tensor,
    optimizer: torch.optim.Optimizer,
    count: int,
    *,
    seed: int = 0,
    size: int = 64,
    lam: float = 0.0,
    schedule: InverseDecay | None = None,
) -> list[float]:
    """Train with softmax cross-entropy; returns the mean J of every epoch."""
    weights, losses, total = weight_matrices(model), [], 0.0
    for chosen in epochs(len(x), size, count, seed):
        J = softmax_cross_entropy(model(x[chosen]), target[chosen])
        optimizer.zero_grad()
        (J + l2_penalty(weights, lam) if lam else J).backward()
        optimizer.step()
        total += J.item() * len(chosen)
        if len(chosen) < size or len(x) % size == 0:
            losses.append(total / len(x))
            total = 0.0
            if schedule:
                schedule.step()
    return losses


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, target: Tensor) -> float:
    return 100 * float((model(x).argmax(1) == target).double().mean())


@torch.no_grad()
def f1(model: nn.Module, windows: Tensor, target: Tensor) -> float:
    found = model(windows).argmax(1)
    true_positives = float((found * target).sum())
    return 200 * true_positives / max(1.0, float(found.sum() + target.sum()))


def deep(unit: str, depth: int, m: int = 60) -> nn.Sequential:
    """Feed-forward network for the digits, 64 -> m -> ... -> m -> 10, with ``depth`` hidden layers."""
    f = UNITS[unit].f
    sizes = [64, *[m] * depth]
    hidden = [Layer(n, k, f) for n, k in zip(sizes, sizes[1:], strict=False)]
    return nn.Sequential(*hidden, Layer(m, 10, None))
