"""Hypothesis strategies for tensors: shapes by named dimensions, values of every kind. Needs hypothesis.

The shapes are those of a declaration (:mod:`~cs224d_l3.gradient_check.declaration`). Simple draws come first, so that
a failing example shrinks to small shapes and round numbers; sizes 0, far tails and ties are the draws it shrinks away
from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from .declaration import Declaration, Spec, fit, named_sizes, parse
from .inputs import KINDS, Inputs, fill, fill_all, values

__all__ = ["KINDS", "SIZES", "arguments", "named_dims", "parse", "tensors", "values"]

SIZES = (2, 3, 1, 4, 0, 6)


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
            "large" (tens), "tails" (hundreds to ten thousands), "tiny", "near" (0: 1e-4 to 1e-1).
        low: the lowest value, in place of kinds.
        high: the highest.
    """
    return st.builds(
        lambda kind, seed: values(shape, kind, seed, low, high).to(dtype).requires_grad_(requires_grad),
        st.sampled_from(kinds),
        st.integers(0, 999),
    )


def named_dims(
    declaration: str | Mapping[str, Any], sizes: Sequence[int] = SIZES
) -> st.SearchStrategy[dict[str, tuple[int, ...]]]:
    """A shape for every argument of a declaration, by name; dimensions that indices stay below are at least 1."""
    return _specs(parse(declaration), sizes).map(lambda specs: {name: spec.shape for name, spec in specs.items()})


@st.composite
def _specs(draw: st.DrawFn, declared: Declaration, sizes: Sequence[int] = SIZES) -> dict[str, Spec]:
    some = st.lists(st.sampled_from(sizes), max_size=3).map(tuple)
    leading = draw(some) if any("..." in a.dims for a in declared.arguments) else ()
    whole = draw(some) if any(a.dims == ("broadcast",) for a in declared.arguments) else ()
    known = {name: draw(st.sampled_from(sizes)) for name in named_sizes(declared.arguments)}
    specs = fit(declared, known, leading)
    for a in declared.arguments:
        if a.dims == ("broadcast",):
            shape = tuple(draw(st.sampled_from((n, 1))) for n in whole)
            specs[a.name] = specs[a.name]._replace(shape=shape[draw(st.integers(0, len(shape))) :])
    return specs


def arguments(
    declaration: str | Mapping[str, Any],
    *,
    domains: Mapping[str, tuple[float | None, float | None]] | None = None,
    kinds: Sequence[str] = KINDS,
) -> st.SearchStrategy[dict[str, Tensor]]:
    """Tensors for every argument of a declaration, by name: float64, int64 indices, or masks.

    Args:
        domains: for some arguments the lowest and highest value, either may be None.
        kinds: as in :func:`tensors`.
    """
    return _arguments(parse(declaration, domains), kinds)


@st.composite
def _arguments(draw: st.DrawFn, declared: Declaration, kinds: Sequence[str]) -> dict[str, Tensor]:
    specs = draw(_specs(declared))
    return {
        a.name: fill(a, specs[a.name], draw(st.sampled_from(kinds)), draw(st.integers(0, 99)) + 100 * k)
        for k, a in enumerate(declared.arguments)
    }


@st.composite
def inputs(draw: st.DrawFn, declared: Declaration, sizes: Sequence[int] = SIZES) -> Inputs:
    """The arguments of one call, all of one kind; what is given as a strategy is drawn by it."""
    own = {a.name: draw(a.given) for a in declared.arguments if isinstance(a.given, st.SearchStrategy)}
    declared = declared._replace(arguments=[a._replace(given=own.get(a.name, a.given)) for a in declared.arguments])
    return fill_all(declared, draw(_specs(declared, sizes)), draw(st.sampled_from(KINDS)), draw(st.integers(0, 99)))
