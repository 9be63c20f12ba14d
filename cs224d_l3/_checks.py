"""The few argument checks of the public functions: one sentence each.

Every message names the argument, says what would be right and what was given.
They run at the public edge, before any work, and never inside a forward or a backward pass.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from ._torch import is_any_autocast_enabled


def check_number(
    name: str,
    value: float,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> None:
    """A finite real number within its bounds."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if (
        number
        and -math.inf < value < math.inf
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (below is None or value < below)
        and (at_most is None or value <= at_most)
    ):
        return
    bounds = {"above": above, "at least": at_least, "below": below, "at most": at_most}
    wanted = " and ".join(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)
    sentence = f"{name} must be a finite number{' ' if wanted else ''}{wanted}, got {value!r}"
    raise ValueError(sentence) if number else TypeError(sentence)


def check_size(name: str, value: int, at_least: int = 1) -> None:
    """A whole number of things."""
    sentence = f"{name} must be a whole number, at least {at_least}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(sentence)
    if value < at_least:
        raise ValueError(sentence)


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """One word out of a few."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_callable(name: str, f: Callable[..., Any]) -> None:
    """A unit: any function from a tensor to a tensor of the same shape."""
    if not callable(f):
        raise TypeError(
            f"{name} must be a function of one tensor, such as cs224d_l3.tanh, got {f!r}"
            + ("; cs224d_l3.UNITS holds the units by name" if isinstance(f, str) else "")
        )


def check_floating(name: str, tensor: Tensor) -> None:
    """A tensor of real floating-point numbers."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be a real floating-point tensor, got {tensor.dtype}")


@cache
def _dims(declaration: str) -> list[tuple[str, bool, tuple[str | int, ...]]]:
    """Of every tensor of a declaration: its text, whether it has leading sizes, and its dimensions."""
    split = [(dims, dims.startswith("..."), dims.removeprefix("...").split()) for dims in declaration.split(", ")]
    return [(dims, leading, tuple(int(d) if d.isdigit() else d for d in names)) for dims, leading, names in split]


_fitting: set[object] = set()  # declarations with shapes and types that were found to fit: a training loop's are few


def check_shapes(declaration: str, **tensors: Tensor | None) -> None:
    """Floating-point tensors of one type whose shapes fit together: one letter, one size; a number is that size.

    ``check_shapes("... n, m n, m", x=x, W=W, b=b)`` lets ``n`` be the last size of ``x`` and asks
    the same of ``W``. ``...`` stands for any leading sizes; a tensor that is None is left out.
    """
    if torch.compiler.is_compiling():
        _check_shapes(declaration, tensors)
        return
    try:
        key = (declaration, *[t if t is None else (t.shape, t.dtype) for t in tensors.values()])
        if key in _fitting:
            return
    except (AttributeError, TypeError):  # no tensor at all; a size that is a symbol
        key = None
    _check_shapes(declaration, tensors)
    if key is not None and not is_any_autocast_enabled():
        if len(_fitting) > 1000:
            _fitting.clear()
        _fitting.add(key)


def _check_shapes(declaration: str, tensors: dict[str, Tensor | None]) -> None:
    sizes: dict[str | int, int] = {}
    dtype = None
    for (name, tensor), (_, leading, dims) in zip(tensors.items(), _dims(declaration), strict=True):
        if tensor is None:
            continue
        check_floating(name, tensor)
        if dtype is None:
            dtype = tensor.dtype
        elif tensor.dtype != dtype and not torch.is_autocast_enabled(tensor.device.type):
            first = next(n for n, t in tensors.items() if t is not None)
            raise TypeError(f"{name} must have the dtype of {first}, {dtype}, got {tensor.dtype}")
        shape = tensor.shape
        fits = len(shape) >= len(dims) if leading else len(shape) == len(dims)
        for d, n in zip(dims, shape[-len(dims) :] if leading else shape, strict=False):
            if d not in sizes:
                sizes[d] = d if isinstance(d, int) else n
            fits = fits and n == sizes[d]
        if not fits:
            raise ValueError(_misfit(declaration, name, tensors))


def _misfit(declaration: str, name: str, tensors: dict[str, Tensor | None]) -> str:
    """The sentence for the tensor whose shape does not fit those before it."""
    sizes: dict[str | int, str] = {}
    for (other, tensor), (text, _, dims) in zip(tensors.items(), _dims(declaration), strict=True):
        if other == name:
            known = ", ".join(sizes[d] for d in dims if d in sizes)
            shape = f"({', '.join(text.split())}{',' if len(dims) == 1 and text == dims[0] else ''})"
            given = tuple(tensor.shape) if tensor is not None else None
            break
        if tensor is not None:
            trailing = tensor.shape[tensor.ndim - len(dims) :]
            sizes |= {d: f"{d} = {n} from {other}" for d, n in zip(dims, trailing, strict=True) if d not in sizes}
    return f"{name} must have shape {shape}{' with ' if known else ''}{known}, got {given}"


def check_indices(name: str, indices: Tensor, below: int | None = None, of: str = "") -> None:
    """Whole numbers in [0, below), each one the index of a row, a word, a tag: ``of`` says of what."""
    if not isinstance(indices, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor of indices, got {type(indices).__name__}")
    if indices.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name} must hold indices (torch.int64), got {indices.dtype}")
    found = None if below is None else bounds(indices)
    if below is not None and found is not None and not (found[0] >= 0 and found[1] < below):
        wrong = found[0] if found[0] < 0 else found[1]
        raise IndexError(f"{name} must lie in 0 to {below - 1}, the {of}, got {wrong}")


def bounds(indices: Tensor) -> tuple[int, int] | None:
    """The smallest and the largest index; None where they cannot be read without waiting, or there are none."""
    # On a GPU a read would stall the queue, a compiler has no values to read, and neither has vmap.
    if torch.compiler.is_compiling() or indices.device.type != "cpu" or indices.numel() == 0:
        return None
    try:
        low, high = indices.aminmax()
        return int(low), int(high)
    except RuntimeError:
        return None


def check_reduction(reduction: str) -> None:
    """torch's three ways to sum up a loss."""
    check_choice("reduction", reduction, ("mean", "sum", "none"))
