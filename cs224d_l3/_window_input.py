"""What the fused steps of the window networks share: the input x of a window, its gradient, and delta.

X = [L_w C_c ...],  a row for each word w with its features c,    x = [X_1 ... X_k] o m,  m from dropout.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _in_place
from ._checks import check_indices, check_shapes
from .layer import embedding, gradient_of_rows
from .units import Unit


@_in_place.error_of_unit
def error_of_unit(unit: Unit, a: Tensor, grad_a: Tensor) -> Tensor:
    """delta = f'(z) o dJ/da, from a = f(z)."""
    return unit.f_prime_of_a(a) * grad_a


def look_up(indices: Sequence[Tensor], tables: Sequence[Tensor]) -> Tensor:
    """X, with a row [L_w C_c ...] for each word w and its features c."""
    found = [t.index_select(0, i) for t, i in zip(tables, indices, strict=True)]
    return found[0] if len(found) == 1 else torch.cat(found, 1)


def embed(indices: Sequence[Tensor], tables: Sequence[Tensor], sparse: bool) -> Tensor:
    """x = [X_1 ... X_k] by :func:`.embedding`, (..., n), for the composed forms."""
    (words, *kinds), (L, *C) = indices, tables
    return torch.cat([embedding(words, L, sparse), *map(embedding, kinds, C)], -1).flatten(-2)


def gradients_of_tables(
    dX: Tensor, indices: Sequence[Tensor], tables: Sequence[Tensor], needs: Sequence[bool], sparse: bool
) -> list[Tensor | None]:
    """dJ/dL, sparse or not, and the gradient of each C, from dJ/dX."""
    parts = dX.split([t.shape[1] for t in tables], 1)
    return [
        gradient_of_rows(dx.contiguous().to(t.dtype), i, t.shape, sparse and k == 0) if need else None
        for k, (dx, i, t, need) in enumerate(zip(parts, indices, tables, needs, strict=True))
    ]


def check_windows(
    names: Sequence[str],
    given: Sequence[Tensor],
    W: Tensor,
    tables: Sequence[Tensor],
    like: Tensor | None = None,
) -> None:
    """Check that every table has indices, all of one shape, (..., k), and that W has the columns of k words.

    ``names``: of the words and of the features, for messages; ``like``: the windows of the same shape.
    """
    for table in tables[1:]:
        check_shapes("V d, F c", L=tables[0], C=table)
    if len(given) != len(tables):
        raise ValueError(f"{names[1]} and C must be of equal number, got {len(given) - 1} and {len(tables) - 1}")
    for i, indices in enumerate(given):
        check_indices(names[i > 0], indices)
    shape, d = (given[0] if like is None else like).shape, sum(table.shape[1] for table in tables)
    for i, indices in enumerate(given):
        if indices.shape != shape:
            raise ValueError(
                f"{names[i > 0]} must have the shape of windows, {tuple(shape)}, got {tuple(indices.shape)}"
            )
    if not shape or shape[-1] * d != W.shape[1]:
        raise ValueError(
            f"W must have {shape[-1:].numel()} x {d} columns, one vector per word of a window, got {W.shape[1]}"
        )


def check_range(names: Sequence[str], given: Sequence[Tensor], tables: Sequence[Tensor]) -> None:
    """IndexError for an index outside its table."""
    for i, (indices, table) in enumerate(zip(given, tables, strict=True)):
        check_indices(names[i > 0], indices, len(table), f"rows of {'C' if i else 'L'}")
