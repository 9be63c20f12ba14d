"""Complex and sparse tensors as dense real ones, whose elements a function is differentiated by, and back."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def as_plain(x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """A tensor without its graph, dense and real, and the function that makes a tensor like x of it.

    A complex tensor becomes pairs of real numbers, a sparse one a dense one, of which only the elements that x stores
    are used. Everything else stays as it is.
    """
    if not isinstance(x, Tensor):
        return x, _same
    x = x.detach()
    if x.layout != torch.strided:
        dense, of_dense = as_plain(x.to_dense())
        return dense, lambda d: _sparse_like(of_dense(d), x)
    if x.is_complex():
        return torch.view_as_real(x.resolve_conj()), lambda pairs: torch.complex(pairs[..., 0], pairs[..., 1])
    return x, _same


def _sparse_like(dense: Tensor, x: Tensor) -> Tensor:
    """The elements that x stores. torch has the gradient of ``sparse_mask`` for COO tensors alone."""
    y = dense.sparse_mask(x.to_sparse_coo())
    if x.layout == torch.sparse_coo:
        return y
    blocks = tuple(x.values().shape[1:3]) if x.layout in (torch.sparse_bsr, torch.sparse_bsc) else None
    return y.to_sparse(layout=x.layout, blocksize=blocks)


def _same(x: Any) -> Any:
    return x
