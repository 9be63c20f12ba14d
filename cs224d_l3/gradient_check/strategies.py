"""Hypothesis strategies for tensors: shapes by named dimensions, values of every kind, layouts. Needs hypothesis.

A declaration names the dimensions of each argument:

    "x=batch n, W=m n, b=m"            one name, one size, wherever it stands; a number is that size
    "x=... n"                          any leading dimensions, the same for all arguments that say ...
    "s=broadcast, s_c=broadcast"       shapes that broadcast together
    "z=batch K, target=batch < K"      indices of shape (batch,), each below K

Simple draws come first, so that a failing example shrinks to small shapes and round numbers; sizes 0, far tails
and ties are the draws it shrinks away from.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor

SIZES = (2, 3, 1, 4, 0, 6)
KINDS = ("round", "normal", "kinks", "zeros", "negative", "large", "tails", "tiny")
ORDINARY = ("round", "normal", "negative")


class Argument(NamedTuple):
    """One argument of a declaration: its dimensions, and for indices the dimension they stay below."""

    name: str
    dims: tuple[str, ...]
    below: str | None = None


def parse(declaration: str | Mapping[str, Any]) -> list[Argument]:
    """The arguments of a declaration in order.

    Raises:
        ValueError: a part that does not read ``name=dimensions``, or names twice.
    """
    if isinstance(declaration, str):
        parts = [part for part in declaration.split(",") if part.strip()]
        for part in parts:
            if part.count("=") != 1:
                raise ValueError(f"declaration must read 'x=batch n, W=m n, b=m', and {part.strip()!r} does not")
        pairs = [tuple(side.strip() for side in part.split("=")) for part in parts]
    else:
        pairs = list(declaration.items())
    arguments = []
    for name, dims in pairs:
        shape, _, below = dims.partition("<")
        words, bound = shape.split(), below.strip() or None
        for word in [*words, *([bound] if bound else [])]:
            if not re.fullmatch(r"[A-Za-z_]\w*|\d+|\.\.\.", word):
                raise ValueError(f"declaration of {name} must hold names, sizes or ..., got {word!r}")
        if words.count("...") > 1 or ("broadcast" in words and len(words) > 1):
            raise ValueError(f"declaration of {name} must hold ... once, and broadcast alone, got {dims!r}")
        arguments.append(Argument(name, tuple(words), bound))
    if not arguments or len({a.name for a in arguments}) < len(arguments):
        raise ValueError(f"declaration must name each argument once, got {declaration!r}")
    return arguments


def tensors(
    shape: Sequence[int],
    *,
    kinds: Sequence[str] = KINDS,
    low: float | None = None,
    high: float | None = None,
    dtype: torch.dtype = torch.float64,
    requires_grad: bool = False,
) -> st.SearchStrategy[Tensor]:
    """Tensors of a shape.

    Args:
        shape: of all of them.
        kinds: of values: "round" (eighths), "normal", "kinks" (-1, 0, 1, many of them tied), "zeros", "negative",
            "large" (tens), "tails" (hundreds to ten thousands), "tiny".
        low, high: all values between these two instead.
    """
    return st.builds(
        lambda kind, seed: values(shape, kind, seed, low, high).to(dtype).requires_grad_(requires_grad),
        st.sampled_from(kinds),
        st.integers(0, 999),
    )


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


@st.composite
def named_dims(
    draw: st.DrawFn, declaration: str | Mapping[str, Any], sizes: Sequence[int] = SIZES
) -> dict[str, tuple[int, ...]]:
    """A shape for every argument of a declaration, by name; dimensions that indices stay below are at least 1."""
    arguments = parse(declaration)
    some = st.lists(st.sampled_from(sizes), max_size=3).map(tuple)
    leading = draw(some) if any("..." in a.dims for a in arguments) else ()
    whole = draw(some) if any(a.dims == ("broadcast",) for a in arguments) else ()
    known = {name: draw(st.sampled_from(sizes)) for name in dimensions(arguments)}
    shapes = fit(arguments, known, leading)
    for a in arguments:
        if a.dims == ("broadcast",):
            shape = tuple(draw(st.sampled_from((n, 1))) for n in whole)
            shapes[a.name] = shape[draw(st.integers(0, len(shape))) :]
    return shapes


def dimensions(arguments: Sequence[Argument]) -> list[str]:
    """The names of sizes in a declaration."""
    words = [word for a in arguments for word in (*a.dims, *([a.below] if a.below else []))]
    return [word for word in dict.fromkeys(words) if not word.isdigit() and word not in ("...", "broadcast")]


def fit(
    arguments: Sequence[Argument], sizes: Mapping[str, int], leading: tuple[int, ...]
) -> dict[str, tuple[int, ...]]:
    """The shape of every argument, and for indices, as "<name", what they stay below, at least 1."""
    bounds = {a.below for a in arguments}

    def size(word: str) -> int:
        return int(word) if word.isdigit() else max(sizes[word], 1) if word in bounds else sizes[word]

    shapes: dict[str, tuple[int, ...]] = {}
    for a in arguments:
        whole = leading if a.dims == ("broadcast",) else None
        shapes[a.name] = whole or tuple(
            n for word in a.dims if word != "broadcast" for n in (leading if word == "..." else (size(word),))
        )
        if a.below:
            shapes[f"<{a.name}"] = (size(a.below),)
    return shapes


def standard_calls(declaration: str | Mapping[str, Any]) -> list[tuple[dict[str, tuple[int, ...]], str]]:
    """Shapes and kinds of values that no check should go without: every kind, and each size at 0, 1 and square."""
    arguments = parse(declaration)
    names = dimensions(arguments)
    usual = {name: 2 + k % 3 for k, name in enumerate(names)}
    calls = [(fit(arguments, usual, (2, 3)), kind) for kind in KINDS]
    calls += [(fit(arguments, {**usual, name: n}, (2,)), "normal") for name in names for n in (1, 0, 6)]
    if names:
        calls.append((fit(arguments, dict.fromkeys(names, 3), (3,)), "normal"))
    if any(a.dims[:1] in (("...",), ("broadcast",)) for a in arguments):
        calls += [(fit(arguments, usual, leading), "normal") for leading in ((), (1,), (0,), (6, 1))]
    return calls


@st.composite
def arguments(
    draw: st.DrawFn,
    declaration: str | Mapping[str, Any],
    *,
    domains: Mapping[str, tuple[float | None, float | None]] | None = None,
    kinds: Sequence[str] = KINDS,
) -> dict[str, Tensor]:
    """Tensors for every argument of a declaration, by name: float64, or int64 indices.

    Args:
        domains: for some arguments the lowest and highest value, either may be None.
        kinds: as in :func:`tensors`.
    """
    shapes = draw(named_dims(declaration))
    found = {}
    for argument in parse(declaration):
        shape = shapes[argument.name]
        if argument.below:
            generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
            found[argument.name] = torch.randint(shapes[f"<{argument.name}"][0], shape, generator=generator)
        else:
            low, high = (domains or {}).get(argument.name, (None, None))
            found[argument.name] = draw(tensors(shape, kinds=kinds, low=low, high=high))
    return found
