"""The inputs that a function is checked with: values of every kind, and the calls that no check goes without."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .declaration import NOT_GIVEN, Argument, Declaration, Spec, fit, named_sizes

KINDS = ("round", "normal", "kinks", "zeros", "negative", "large", "tails", "tiny", "near")
ORDINARY = ("round", "normal", "negative")


class Inputs(NamedTuple):
    """The arguments of one call, by name.

    Attributes:
        values: tensors; of calls that are given, anything.
        others: other values of the same kinds and shapes; None where there are none.
        ordinary: the values are neither extreme nor tied.
        keywords: the arguments that are given by name.
        where: of a given call, what to call it.
    """

    values: dict[str, Any]
    others: dict[str, Any] | None
    ordinary: bool
    keywords: frozenset[str] = frozenset()
    where: str = ""


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
    if kind == "near":
        return normal.sign() * 10 ** (-4.5 + 4 * torch.special.ndtr(normal.abs() * 2 - 2))
    return {"zeros": 0 * normal, "negative": -normal.abs(), "large": 20 * normal, "tiny": 1e-9 * normal}.get(
        kind, normal
    )


def of_kind(shape: tuple[int, ...], kind: str, numbers: str, seed: int) -> Tensor:
    """Values of a kind of the declaration; numbers are the real ones that they are made of."""
    x = values(shape, numbers, seed)
    if kind == "bool":
        return x > 0
    if kind == "positive":
        return torch.where(x == 0, 0.375, x.abs())
    if kind == "integers":
        return (3 * x).round()
    x = x if numbers in ORDINARY else values(shape, "normal", seed)
    if kind == "unit":
        return 0.02 + 0.96 * x.sigmoid()
    if kind == "simplex":
        return (x.softmax(-1) + 0.02) / (1 + 0.02 * (shape[-1] if shape else 1))
    if kind == "distinct":
        order = torch.randperm(x.numel(), generator=torch.Generator().manual_seed(seed)).view(shape)
        return (order - x.numel() // 2) * 0.375 + 0.25 * x.sigmoid()
    if kind == "unit_norm":
        return x / x.norm(dim=-1, keepdim=True)
    x = values(shape, "normal", seed)
    eye = torch.eye(shape[-1], dtype=torch.float64)
    if kind == "spd":
        return x @ x.mT / max(shape[-1], 1) + eye
    if kind == "triangular":
        return x.tril(-1) + eye * (x.abs() + 0.5)
    return torch.linalg.qr(x).Q if kind == "orthogonal" else (x + x.mT) / 2


# Onto the values of a kind: a function of such values alone is differentiated within them.
PROJECTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "simplex": lambda x: x / x.sum(-1, keepdim=True),
    "unit_norm": lambda x: x / x.norm(dim=-1, keepdim=True),
    "symmetric": lambda x: (x + x.mT) / 2,
    "spd": lambda x: (x + x.mT) / 2,
    "triangular": lambda x: x.tril(),
    # Newton's step to the nearest orthogonal matrix, which is its fixed point: there both have the same derivative
    "orthogonal": lambda x: 1.5 * x - 0.5 * x @ x.mT @ x,
}


PROJECTIONS_AS_CODE = {
    "simplex": "{x} / {x}.sum(-1, keepdim=True)",
    "unit_norm": "{x} / {x}.norm(dim=-1, keepdim=True)",
    "symmetric": "({x} + {x}.mT) / 2",
    "spd": "({x} + {x}.mT) / 2",
    "triangular": "{x}.tril()",
    "orthogonal": "1.5 * {x} - 0.5 * {x} @ {x}.mT @ {x}",
}


def fill(argument: Argument, spec: Spec, numbers: str, seed: int) -> Any:
    """The value of an argument: float64 numbers of a kind, int64 indices, or what is given."""
    generator = torch.Generator().manual_seed(seed)
    if callable(argument.given) and not isinstance(argument.given, Tensor):
        try:
            return argument.given(spec.shape, generator)
        except TypeError as error:
            raise ValueError(
                f"fixed[{argument.name!r}] must be a function of a shape and a torch.Generator that makes the value,"
                f" got {argument.given!r}: {error}; a function that is an argument itself stands in constants="
            ) from error
    if argument.given is not NOT_GIVEN:
        return argument.given.detach() if isinstance(argument.given, Tensor) else argument.given
    if spec.below is not None:
        return torch.randint(spec.below, spec.shape, generator=generator)
    if argument.kind:
        return of_kind(spec.shape, argument.kind, numbers, seed)
    return values(spec.shape, numbers, seed, argument.low, argument.high)


def fill_all(declared: Declaration, specs: dict[str, Spec], numbers: str, seed: int) -> Inputs:
    """One call, and other values for it."""
    some, others = (
        {a.name: fill(a, specs[a.name], numbers, seed + 100 * k + more) for k, a in enumerate(declared.arguments)}
        for more in (0, 50_000)
    )
    return Inputs(some, others, numbers in ORDINARY)


def standard_inputs(declared: Declaration, sizes: Sequence[int] = (2, 3, 4)) -> list[Inputs]:
    """Every kind of value, and each size at 0, 1 and square."""
    names = named_sizes(declared.arguments)
    usual = {name: sizes[k % len(sizes)] for k, name in enumerate(names)}
    has_leading = any(a.dims[:1] in (("...",), ("broadcast",)) for a in declared.arguments)
    calls = [(fit(declared, usual, (2, 3)), kind) for kind in KINDS]
    calls += [(fit(declared, {**usual, name: n}, (2,)), "normal") for name in names for n in (1, 0, max(6, *sizes))]
    if names:
        squares = [(3,), ()] if has_leading else [(3,)]
        calls += [(fit(declared, dict.fromkeys(names, 3), leading), "normal") for leading in squares]
    if has_leading:
        calls += [(fit(declared, usual, leading), "normal") for leading in ((), (1,), (0,), (6, 1), (3, 3))]
    return [fill_all(declared, specs, kind, seed) for seed, (specs, kind) in enumerate(calls)]
