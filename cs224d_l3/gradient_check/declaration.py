"""Declarations: the shapes of a function's arguments, in one line.

"x=batch n, W=m n, b=m"            one name, one size, wherever it stands; a number is that size
"x=... n"                          any leading dimensions, the same for all arguments that say ...
"s=broadcast, s_c=broadcast"       shapes that broadcast together
"z=batch K, target=batch < K"      indices of shape (batch,), each below K
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor


class Argument(NamedTuple):
    """One argument of a declaration.

    Attributes:
        dims: its dimensions: names, sizes, "..." or "broadcast".
        below: of indices, the dimension they stay below.
        low, high: the lowest and the highest of its values.
        fixed: its one value.
    """

    name: str
    dims: tuple[str, ...]
    below: str | None = None
    low: float | None = None
    high: float | None = None
    fixed: Tensor | None = None

    @property
    def is_index(self) -> bool:
        return self.below is not None

    @property
    def text(self) -> str:
        return " ".join(self.dims) + (f" < {self.below}" if self.below else "")


class Spec(NamedTuple):
    """The shape of one tensor, and of indices the number they stay below."""

    shape: tuple[int, ...]
    below: int | None = None


def parse(
    declaration: str | Mapping[str, Any],
    domains: Mapping[str, tuple[float | None, float | None]] | None = None,
    fixed: Mapping[str, Tensor] | None = None,
) -> list[Argument]:
    """The arguments of a declaration in order.

    Args:
        declaration: as above, or a mapping from names to dimensions.
        domains: for some arguments the lowest and the highest value, either may be None.
        fixed: the values of some arguments.

    Raises:
        ValueError: a part that does not read ``name=dimensions``, or names twice; domains or fixed values of
            arguments that are not declared.
    """
    if isinstance(declaration, str):
        parts = [part for part in declaration.split(",") if part.strip()]
        for part in parts:
            if part.count("=") != 1:
                raise ValueError(f"declaration must read 'x=batch n, W=m n, b=m', and {part.strip()!r} does not")
        pairs = [tuple(side.strip() for side in part.split("=")) for part in parts]
    else:
        pairs = list(declaration.items())
    domains, fixed = domains or {}, fixed or {}
    arguments = []
    for name, text in pairs:
        dims, below = _dimensions(name, text)
        arguments.append(Argument(name, dims, below, *domains.get(name, (None, None)), fixed.get(name)))
    names = {a.name for a in arguments}
    if not arguments or len(names) < len(arguments):
        raise ValueError(f"declaration must name each argument once, got {declaration!r}")
    for option, given in (("domains", domains), ("fixed", fixed)):
        if unknown := given.keys() - names:
            raise ValueError(f"{option} must name arguments of the declaration, got {sorted(unknown)}")
    return arguments


def _dimensions(name: str, text: str) -> tuple[tuple[str, ...], str | None]:
    dims, _, below = text.partition("<")
    words, bound = dims.split(), below.strip() or None
    for word in [*words, *([bound] if bound else [])]:
        if not re.fullmatch(r"[A-Za-z_]\w*|\d+|\.\.\.", word):
            raise ValueError(f"declaration of {name} must hold names, sizes or ..., got {word!r}")
    if words.count("...") > 1 or ("broadcast" in words and len(words) > 1):
        raise ValueError(f"declaration of {name} must hold ... once, and broadcast alone, got {text!r}")
    return tuple(words), bound


def named_sizes(arguments: Sequence[Argument]) -> list[str]:
    """The names of sizes in a declaration."""
    words = [word for a in arguments for word in (*a.dims, *([a.below] if a.below else []))]
    return [word for word in dict.fromkeys(words) if not word.isdigit() and word not in ("...", "broadcast")]


def fit(arguments: Sequence[Argument], sizes: Mapping[str, int], leading: tuple[int, ...]) -> dict[str, Spec]:
    """The shape of every argument; sizes that indices stay below are at least 1."""
    bounds = {a.below for a in arguments}

    def size(word: str) -> int:
        return int(word) if word.isdigit() else max(sizes[word], 1) if word in bounds else sizes[word]

    def shape(dims: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(n for word in dims for n in (leading if word in ("...", "broadcast") else (size(word),)))

    return {a.name: Spec(shape(a.dims), size(a.below) if a.below else None) for a in arguments}
