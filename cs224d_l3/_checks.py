"""Argument checks of the public functions.

Every message names the argument, what is required and the value given. Checks run once, in the public function,
before any computation, and never inside a forward or backward pass.
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
    """A finite real number within the bounds; TypeError for another type, ValueError outside."""
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
    required = " and ".join(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)
    message = f"{name} must be a finite number{' ' if required else ''}{required}, got {value!r}"
    raise ValueError(message) if number else TypeError(message)


def check_size(name: str, value: int, at_least: int = 1) -> None:
    """An integer, at least ``at_least``; TypeError for another type, ValueError below."""
    message = f"{name} must be an integer, at least {at_least}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(message)
    if value < at_least:
        raise ValueError(message)


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """One of the strings in ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_callable(name: str, f: Callable[..., Any]) -> None:
    """A callable: an activation function, from a tensor to a tensor of the same shape."""
    if not callable(f):
        raise TypeError(
            f"{name} must be a function of one tensor, such as cs224d_l3.tanh, got {f!r}"
            + ("; cs224d_l3.UNITS maps names to units" if isinstance(f, str) else "")
        )


def check_floating(name: str, tensor: Tensor) -> None:
    """A tensor of a real floating-point dtype."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be a real floating-point tensor, got {tensor.dtype}")


@cache
def _dims(declaration: str) -> list[tuple[str, bool, tuple[str | int, ...]]]:
    """For each tensor declared: its text, whether it starts with ``...``, and its dimensions, names or fixed sizes."""
    split = [(dims, dims.startswith("..."), dims.removeprefix("...").split()) for dims in declaration.split(", ")]
    return [(dims, leading, tuple(int(d) if d.isdigit() else d for d in names)) for dims, leading, names in split]


_passed: set[object] = set()  # cache of (declaration, shapes and dtypes): a training loop has few


def check_shapes(declaration: str, **tensors: Tensor | None) -> None:
    """Floating-point tensors of one dtype whose shapes match the declaration: equal names are equal sizes.

    ``check_shapes("... n, m n, m", x=x, W=W, b=b)`` binds ``n`` to the last size of ``x`` and requires it of ``W``.
    A number is a fixed size, ``...`` any leading dimensions; a tensor that is None is skipped. Under autocast the
    dtypes may differ, and a match is not cached.
    """
    if torch.compiler.is_compiling():
        _check_shapes(declaration, tensors)
        return
    try:
        key = (declaration, *[t if t is None else (t.shape, t.dtype) for t in tensors.values()])
        if key in _passed:
            return
    except (AttributeError, TypeError):  # not a tensor; a symbolic size, which has no hash
        key = None
    _check_shapes(declaration, tensors)
    if key is not None and not is_any_autocast_enabled():
        if len(_passed) > 1000:
            _passed.clear()
        _passed.add(key)


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
    """The message for a tensor whose shape does not match the sizes bound by the tensors before it."""
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
    """An int64 or int32 tensor with values in [0, below); ``of`` names what is indexed, for the message."""
    if not isinstance(indices, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor of indices, got {type(indices).__name__}")
    if indices.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name} must have dtype torch.int64 or torch.int32, got {indices.dtype}")
    found = None if below is None else bounds(indices)
    if below is not None and found is not None and not (found[0] >= 0 and found[1] < below):
        wrong = found[0] if found[0] < 0 else found[1]
        raise IndexError(f"{name} must lie in 0 to {below - 1}, the {of}, got {wrong}")


def bounds(indices: Tensor) -> tuple[int, int] | None:
    """The smallest and the largest index; None if empty or not readable without synchronizing."""
    # a read synchronizes with the GPU; under a compiler or vmap there is no value to read
    if torch.compiler.is_compiling() or indices.device.type != "cpu" or indices.numel() == 0:
        return None
    try:
        low, high = indices.aminmax()
        return int(low), int(high)
    except RuntimeError:
        return None


def check_reduction(reduction: str) -> None:
    """A reduction of torch's losses."""
    check_choice("reduction", reduction, ("mean", "sum", "none"))
