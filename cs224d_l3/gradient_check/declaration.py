"""Declarations: shape and kind of every argument of a function, in one line::

"x=batch n, W=m n, b=m"            one name, one size, wherever it stands; a number is that size
"x=... n"                          any leading dimensions, the same for all arguments that say ...
"s=broadcast, s_c=broadcast"       shapes that broadcast together
"z=batch K, target=batch < K"      indices of shape (batch,), each below K
"x=T>=3 n, y=n+1, v=3d"            a smallest size, a size that depends on another, any three dimensions
"m=n bool, t=n data"               a mask; floating-point data that is not differentiated by
"A=n n spd, p=batch K simplex"     values of a kind, one of those in ``KINDS_OF_VALUES``
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

KINDS_OF_VALUES = {
    "positive": "above 0",
    "unit": "between 0 and 1",
    "simplex": "positive, and the last dimension sums to 1",
    "distinct": "no two within a hundredth of each other",
    "symmetric": "symmetric matrices",
    "spd": "symmetric positive definite matrices",
    "triangular": "lower triangular matrices with a diagonal above 0",
    "orthogonal": "square matrices with orthonormal columns",
    "unit_norm": "vectors of norm 1 in the last dimension",
    "integers": "whole numbers in floating point",
}
MATRICES = ("symmetric", "spd", "triangular", "orthogonal")
GRAMMAR = "name=dimensions [< bound] [bool] [data] [kind], a dimension being n, 3, n+1, n>=3, 3d, ... or broadcast"
_DIMENSION = re.compile(r"\.\.\.|(\d+)d|\d+|([A-Za-z_]\w*)(?:([+-]\d+)|>=(\d+))?")


NOT_GIVEN: Any = object()


class Argument(NamedTuple):
    """One argument of a declaration.

    Attributes:
        dims: its dimensions: names, sizes, "n+1", "..." or "broadcast".
        below: of indices, the dimension they stay below.
        kind: of its values, of ``KINDS_OF_VALUES`` or "bool"; "" for any real numbers.
        is_data: floating-point, and not differentiated by.
        low: the lowest of its values.
        high: the highest.
        given: its value, in place of draws; or a function of a shape and a generator that makes it.
    """

    name: str
    dims: tuple[str, ...]
    below: str | None = None
    kind: str = ""
    is_data: bool = False
    low: float | None = None
    high: float | None = None
    given: Any = NOT_GIVEN

    @property
    def is_index(self) -> bool:
        return self.below is not None

    @property
    def is_differentiable(self) -> bool:
        return not (self.is_index or self.is_data or self.kind == "bool")


class Spec(NamedTuple):
    """The shape of one tensor, and of indices the number they stay below."""

    shape: tuple[int, ...]
    below: int | None = None


class Declaration(NamedTuple):
    """The arguments in order, and the smallest value of each named size."""

    arguments: list[Argument]
    least: dict[str, int]


def parse(
    declaration: str | Mapping[str, Any],
    domains: Mapping[str, tuple[float | None, float | None]] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Declaration:
    """Reads a declaration.

    Args:
        declaration: as above, or a mapping from names to dimensions.
        domains: for some arguments the lowest and the highest value, either may be None.
        given: values of some arguments.

    Raises:
        ValueError: a part that cannot be read, or names twice; domains or values of arguments that are not declared.
    """
    pairs = _split(declaration) if isinstance(declaration, str) else list(declaration.items())
    domains, given = domains or {}, given or {}
    least: dict[str, int] = {}
    arguments = []
    for name, text in pairs:
        read = _read(name, str(text), least)
        low, high = domains.get(name, (None, None))
        arguments.append(read._replace(low=low, high=high, given=given.get(name, NOT_GIVEN)))
    names = {a.name for a in arguments}
    if not arguments or len(names) < len(arguments):
        raise ValueError(f"declaration must name each argument once, got {declaration!r}")
    for option, of in (("domains", domains), ("fixed", given)):
        if unknown := of.keys() - names:
            raise ValueError(f"{option} must name arguments of the declaration, got {sorted(unknown)}")
    return Declaration(arguments, least)


def _split(declaration: str) -> list[tuple[str, str]]:
    pairs = []
    for part in filter(str.strip, declaration.split(",")):
        name, equals, text = part.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ValueError(f"declaration must read {GRAMMAR}, separated by commas; {part.strip()!r} does not")
        pairs.append((name.strip(), text.strip()))
    return pairs


def _read(name: str, text: str, least: dict[str, int]) -> Argument:
    """One argument; the smallest sizes it states go into ``least``."""

    def wrong(word: str, at: int) -> ValueError:
        comma = " (arguments are separated by commas)" if "=" in word or ";" in word else ""
        return ValueError(
            f"declaration of {name}: cannot read {word!r} in {text!r}{comma}\n  {text}\n  {' ' * at}^\n"
            f"expected {GRAMMAR}; kinds are {', '.join(KINDS_OF_VALUES)}"
        )

    dims: list[str] = []
    below, kind, is_data = None, "", False
    words = [(m.group(), m.start()) for m in re.finditer(r"<(?!=)|[^\s<]+", text)]
    after_bound = False
    for word, at in words:
        if word == "<":
            after_bound = True
        elif word in KINDS_OF_VALUES or word == "bool":
            kind = word
        elif word == "data":
            is_data = True
        elif not (match := _DIMENSION.fullmatch(word)) or kind or is_data:
            raise wrong(word, at)
        elif after_bound:
            if below is not None or match.group(1) or word in ("...", "broadcast"):
                raise wrong(word, at)
            below = word
        elif match.group(1):
            dims += [f"{name}_{k}" for k in range(int(match.group(1)))]
        elif match.group(4):
            least[match.group(2)] = max(int(match.group(4)), least.get(match.group(2), 0))
            dims.append(match.group(2))
        else:
            dims.append(word)
    if after_bound and below is None:
        raise wrong("<", len(text) - 1)
    if dims.count("...") > 1 or ("broadcast" in dims and len(dims) > 1):
        raise ValueError(f"declaration of {name} must hold ... once, and broadcast alone, got {text!r}")
    if kind in MATRICES and (len(dims) < 2 or dims[-1] != dims[-2]):
        raise ValueError(f"declaration of {name} must end in two equal dimensions to be {kind}, got {text!r}")
    return Argument(name, tuple(dims), below, kind, is_data)


def _base(word: str) -> tuple[str, int]:
    """ "n+1" as ("n", 1)."""
    match = _DIMENSION.fullmatch(word)
    assert match is not None
    return (match.group(2) or word, int(match.group(3) or 0))


def named_sizes(arguments: Sequence[Argument]) -> list[str]:
    """The names of sizes in a declaration."""
    words = [_base(word)[0] for a in arguments for word in (*a.dims, *([a.below] if a.below else []))]
    return [word for word in dict.fromkeys(words) if not word.isdigit() and word not in ("...", "broadcast")]


def fit(declaration: Declaration, sizes: Mapping[str, int], leading: tuple[int, ...]) -> dict[str, Spec]:
    """The shape of every argument; sizes that indices stay below are at least 1."""
    arguments, least = declaration
    words = [word for a in arguments for word in (*a.dims, *([a.below] if a.below else []))]
    least = dict(least)
    for word in words:  # n-1 needs an n of at least 1
        name, plus = _base(word)
        least[name] = max(least.get(name, 0), -plus)
    # an index has something to stay below; the elements of a simplex sum to 1, and unit vectors have a norm
    last = [a.dims[-1] for a in arguments if a.kind in ("simplex", "unit_norm") and a.dims]
    for word in [*(a.below for a in arguments if a.below), *last]:
        name, plus = _base(word)
        least[name] = max(least.get(name, 0), 1 - plus)

    def size(word: str) -> int:
        name, plus = _base(word)
        return int(word) if word.isdigit() else max(sizes[name], least.get(name, 0)) + plus

    def shape(dims: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(n for word in dims for n in (leading if word in ("...", "broadcast") else (size(word),)))

    return {a.name: Spec(shape(a.dims), size(a.below) if a.below else None) for a in arguments}
