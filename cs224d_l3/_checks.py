"""The few argument checks of the public functions: one sentence each.

Every message names the argument, says what would be right and what was given.
They run at the public edge, before any work, and never inside a forward or a backward pass.
"""

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor


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
    bounds = {"above": above, "at least": at_least, "below": below, "at most": at_most}
    wanted = " and ".join(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)
    sentence = f"{name} must be a finite number{' ' if wanted else ''}{wanted}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(sentence)
    if (
        not math.isfinite(value)
        or (above is not None and not value > above)
        or (at_least is not None and not value >= at_least)
        or (below is not None and not value < below)
        or (at_most is not None and not value <= at_most)
    ):
        raise ValueError(sentence)


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


def check_shapes(declaration: str, **tensors: Tensor | None) -> None:
    """Floating-point tensors of one type whose shapes fit together: one letter, one size; a number is that size.

    ``check_shapes("... n, m n, m", x=x, W=W, b=b)`` lets ``n`` be the last size of ``x`` and asks
    the same of ``W``. ``...`` stands for any leading sizes; a tensor that is None is left out.
    """
    sizes: dict[str, tuple[int, str]] = {}
    first: tuple[str, torch.dtype] | None = None
    for (name, tensor), dims in zip(tensors.items(), declaration.split(", "), strict=True):
        if tensor is None:
            continue
        check_floating(name, tensor)
        first = first or (name, tensor.dtype)
        if tensor.dtype != first[1] and not torch.is_autocast_enabled(tensor.device.type):
            raise TypeError(f"{name} must have the dtype of {first[0]}, {first[1]}, got {tensor.dtype}")
        letters = dims.removeprefix("...").split()
        given = tuple(tensor.shape)
        trailing = given[len(given) - len(letters) :]
        fits = len(given) == len(letters) or (dims.startswith("...") and len(given) > len(letters))
        if not fits or any(
            (int(d) if d.isdigit() else sizes.setdefault(d, (n, name))[0]) != n
            for d, n in zip(letters, trailing, strict=True)
        ):
            known = [f"{d} = {sizes[d][0]} from {sizes[d][1]}" for d in letters if d in sizes and sizes[d][1] != name]
            shape = f"({', '.join(dims.split())}{',' if len(letters) == 1 and dims == letters[0] else ''})"
            raise ValueError(
                f"{name} must have shape {shape}{' with ' if known else ''}{', '.join(known)}, got {given}"
            )


def check_indices(name: str, indices: Tensor, below: int | None = None, of: str = "") -> None:
    """Whole numbers in [0, below), each one the index of a row, a word, a tag: ``of`` says of what."""
    if not isinstance(indices, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor of indices, got {type(indices).__name__}")
    if indices.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name} must hold indices (torch.int64), got {indices.dtype}")
    # Values are read on the CPU only: on a GPU a read would stall the queue, a compiler has none to read.
    if below is None or torch.compiler.is_compiling() or indices.device.type != "cpu" or indices.numel() == 0:
        return
    try:
        low, high = (int(bound) for bound in indices.aminmax())
    except RuntimeError:  # under vmap the values are not readable either
        return
    if low < 0 or high >= below:
        wrong = low if low < 0 else high
        raise IndexError(f"{name} must lie in 0 to {below - 1}, the {of}, got {wrong}")


def check_reduction(reduction: str) -> None:
    """torch's three ways to sum up a loss."""
    check_choice("reduction", reduction, ("mean", "sum", "none"))
