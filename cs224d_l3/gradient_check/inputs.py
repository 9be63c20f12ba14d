"""The inputs that a function is checked with: values of every kind, and the calls that no check goes without."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .declaration import Argument, Spec, fit, named_sizes

KINDS = ("round", "normal", "kinks", "zeros", "negative", "large", "tails", "tiny")
ORDINARY = ("round", "normal", "negative")


class Inputs(NamedTuple):
    """The tensors of one call, by argument; ordinary where they are neither extreme nor tied."""

    tensors: dict[str, Tensor]
    ordinary: bool


def values(shape: Sequence[int], kind: str, seed: int, low: float | None = None, high: float | None = None) -> Tensor:
    """Numbers of a kind, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(tuple(shape), generator=generator, dtype=torch.float64)
    if low is not None or high is not None:
        least = high - 4 if low is None and high is not None else low or 0.0
        most = least + 4 if high is None else high
        return least + (most - least) * normal.sigmoid()
    if kind == "round":
        eighths = (normal * 8).round() / 8
        return torch.where(eighths == 0, 0.375, eighths)
    if kind == "kinks":
        return normal.round().clamp(-1, 1)
    if kind == "tails":
        return normal.sign() * 10 ** (1 + 3 * normal.abs().clamp(max=1))
    return {"zeros": 0 * normal, "negative": -normal.abs(), "large": 20 * normal, "tiny": 1e-9 * normal}.get(
        kind, normal
    )


def fill(argument: Argument, spec: Spec, kind: str, seed: int) -> Tensor:
    """The tensor of an argument: float64 numbers of a kind, int64 indices, or its fixed value."""
    if argument.fixed is not None:
        return argument.fixed.detach()
    if spec.below is not None:
        return torch.randint(spec.below, spec.shape, generator=torch.Generator().manual_seed(seed))
    return values(spec.shape, kind, seed, argument.low, argument.high)


def standard_inputs(arguments: Sequence[Argument]) -> list[Inputs]:
    """Every kind of value, and each size at 0, 1 and square."""
    names = named_sizes(arguments)
    usual = {name: 2 + k % 3 for k, name in enumerate(names)}
    calls = [(fit(arguments, usual, (2, 3)), kind) for kind in KINDS]
    calls += [(fit(arguments, {**usual, name: n}, (2,)), "normal") for name in names for n in (1, 0, 6)]
    if names:
        calls.append((fit(arguments, dict.fromkeys(names, 3), (3,)), "normal"))
    if any(a.dims[:1] in (("...",), ("broadcast",)) for a in arguments):
        calls += [(fit(arguments, usual, leading), "normal") for leading in ((), (1,), (0,), (6, 1))]
    return [
        Inputs(
            {a.name: fill(a, specs[a.name], kind, seed + 100 * k) for k, a in enumerate(arguments)}, kind in ORDINARY
        )
        for seed, (specs, kind) in enumerate(calls)
    ]
