"""Faster kernels for the update of AdaGrad: fused, foreach, and the rows of sparse gradients.

Each equals ``adagrad.update``; ``choose`` selects the one that is valid for a batch.
"""

from collections.abc import Callable
from itertools import chain
from operator import attrgetter, is_
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._torch import (
    foreach_add,
    foreach_addcmul_,
    foreach_div,
    foreach_mul_,
    foreach_neg,
    foreach_sqrt,
    foreach_sub_,
    fused_adagrad_,
    stored_entries,
)

_PLAIN = {Tensor, torch.nn.Parameter}
_dtype, _device, _is_cpu, is_sparse = map(attrgetter, ("dtype", "device", "is_cpu", "is_sparse"))


class Batch(NamedTuple):
    """Parameters theta, gradients g and accumulators G, tensor by tensor."""

    thetas: list[Tensor]
    gs: list[Any]
    Gs: list[Tensor]

    def append(self, theta: Tensor, g: Tensor, G: Tensor) -> None:
        self.thetas.append(theta)
        self.gs.append(g)
        self.Gs.append(G)


Kernel = Callable[[Batch, Any, float, bool], None]
Kernels = tuple[tuple[Kernel, Callable[[Batch], bool]], ...]

# --------------------------------------------------------------------------------------- dense gradients


def kernels_for(group: dict[str, Any]) -> Kernels:
    """The kernels that a parameter group's options allow, fastest first, each with the predicate where it is valid.

    Under a compiler and for ``differentiable`` none: the plain formula is traced or differentiated.
    """
    if torch.compiler.is_compiling() or group["differentiable"]:
        return ()
    automatic = group["foreach"] is None and group["fused"] is not False
    kernels: Kernels = ((fused, _is_fusible),) if group["fused"] or automatic else ()
    if group["foreach"]:
        return (*kernels, (foreach, _is_uniform))
    return (*kernels, (foreach, _is_uniform_on_gpu)) if automatic else kernels


def choose(kernels: Kernels, batch: Batch, known: "Layout | None" = None) -> Kernel | None:
    """The first kernel that is valid for the whole batch; the fused one at once for a layout that is known."""
    if known is not None and kernels and kernels[0][0] is fused:
        if known.is_that_of(batch):
            return fused
        known.forget()
    kernel = next((kernel for kernel, is_valid in kernels if is_valid(batch)), None)
    if known is not None and kernel is fused:
        known.remember(batch)
    return kernel


def fused(batch: Batch, lr: Any, weight_decay: float, maximize: bool) -> None:
    """The update by torch's fused kernel, in one pass over memory.

    The kernel adds its own eps outside the root; here the smallest normal number, for a G that was set to 0 by hand.
    It reads ``steps`` only for lr_decay, which is 0 here.
    """
    assert fused_adagrad_ is not None
    steps, eps = [torch.ones((), device="cpu")] * len(batch.thetas), torch.finfo(batch.thetas[0].dtype).tiny
    fused_adagrad_(*batch, steps, lr=float(lr), lr_decay=0.0, weight_decay=weight_decay, eps=eps, maximize=maximize)


def foreach(batch: Batch, lr: Any, weight_decay: float, maximize: bool) -> None:
    """The update by torch's kernels for lists of tensors."""
    thetas, gs, Gs = batch
    if maximize:
        gs = list(foreach_neg(gs))
    if weight_decay:
        gs = list(foreach_add(gs, thetas, alpha=weight_decay))
    foreach_addcmul_(Gs, gs, gs)
    steps = list(foreach_div(gs, list(foreach_sqrt(Gs))))
    foreach_mul_(steps, lr)
    foreach_sub_(thetas, steps)


def _is_uniform(batch: Batch) -> bool:
    """Whether all are plain tensors of one real dtype on one device."""
    thetas, gs, Gs = batch
    return (
        {*map(type, thetas), *map(type, gs)} <= _PLAIN
        and len(set(map(_dtype, chain(thetas, gs, Gs)))) == 1
        and not thetas[0].is_complex()
        and (all(map(_is_cpu, thetas)) or len(set(map(_device, thetas))) == 1)
    )


def _is_uniform_on_gpu(batch: Batch) -> bool:
    return batch.thetas[0].is_cuda and _is_uniform(batch)


def _is_fusible(batch: Batch) -> bool:
    """Whether torch's fused CPU kernel, which ignores sizes and strides, is valid: uniform, dense, same layout."""
    thetas, gs, Gs = batch
    if (
        fused_adagrad_ is None
        or thetas[0].dtype not in (torch.float32, torch.float64)
        or not thetas[0].is_cpu
        or not _is_uniform(batch)
        or not (list(map(Tensor.numel, thetas)) == list(map(Tensor.numel, gs)) == list(map(Tensor.numel, Gs)))
    ):
        return False
    if all(map(Tensor.is_contiguous, chain(thetas, gs, Gs))):
        return True
    last = {"memory_format": torch.channels_last}
    return len(thetas) == 1 and thetas[0].ndim == 4 and all(t.is_contiguous(**last) for (t,) in batch)


class Layout:
    """The memory of the last batch that the fused kernel was valid for, by which the next is known to be like it.

    Parameters may have been replaced or resized in between, and gradients are new tensors: addresses, sizes and
    strides of both are compared. The accumulators are the optimizer's own: the same objects of the same sizes.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.Gs: list[Tensor] = []

    def remember(self, batch: Batch) -> None:
        thetas, _, self.Gs = batch
        self.addresses, self.sizes = list(map(Tensor.data_ptr, thetas)), list(map(Tensor.numel, thetas))
        self.dtype, self.contiguous = thetas[0].dtype, all(map(Tensor.is_contiguous, thetas))

    def is_that_of(self, batch: Batch) -> bool:
        thetas, gs, Gs = batch
        return (
            len(Gs) == len(self.Gs)
            and self.contiguous
            and all(map(is_, Gs, self.Gs))
            and list(map(Tensor.data_ptr, thetas)) == self.addresses
            and list(map(Tensor.numel, thetas)) == list(map(Tensor.numel, gs)) == self.sizes
            and set(map(type, gs)) <= _PLAIN
            and set(map(_dtype, gs)) == {self.dtype}
            and all(map(_is_cpu, gs))
            and all(map(Tensor.is_contiguous, chain(thetas, gs)))
            and list(map(Tensor.numel, Gs)) == self.sizes
        )


# -------------------------------------------------------------------------------------- sparse gradients

Index = tuple[Tensor, ...]
SORTED = 1000  # entries up to which torch's coalesce, which sorts, is as fast


class Scratch:
    """A reused buffer, one int32 per row of the largest table: with 10M rows, allocation takes longer than a step."""

    def __init__(self) -> None:
        self._memory = torch.empty(0, dtype=torch.int32, device="cpu")

    def get(self, size: int) -> Tensor:
        if len(self._memory) < size:
            self._memory = torch.empty(size, dtype=torch.int32, device="cpu")
        return self._memory


def gather_rows(batch: Batch, scratch: Scratch) -> tuple[Batch, list[tuple[Tensor, Index, Tensor]]]:
    """The batch with sparse gradients coalesced and their theta and G gathered at those rows; and what to write back.

    Returns:
        the batch, and (table, index, rows) for :func:`put_rows`.
    """
    gathered, tables = Batch([], [], []), []
    for theta, g, G in zip(*batch, strict=True):
        if g.is_sparse:
            index, values = _coalesce(g.to(G.dtype), scratch)
            rows, sums = _take(theta, index), _take(G, index)
            gathered.append(rows, values, sums)
            tables += [(theta, index, rows), (G, index, sums)]
        else:
            gathered.append(theta, g, G)
    return gathered, tables


def put_rows(table: Tensor, index: Index, rows: Tensor) -> None:
    """table[index] = rows; ``index_copy_`` is faster for whole rows."""
    if len(index) > 1:
        table[index] = rows
        return
    if _is_viewable_as_float64(table) and _is_viewable_as_float64(rows):
        table, rows = table.view(torch.float64), rows.view(torch.float64)
    table.index_copy_(0, index[0], rows)


def _take(table: Tensor, index: Index) -> Tensor:
    """table[index]; ``index_select`` is faster for whole rows."""
    return table.index_select(0, index[0]) if len(index) == 1 else table[index]


def _is_viewable_as_float64(t: Tensor) -> bool:
    """Whether float32 rows can be copied as float64, two elements at a time: saves up to a tenth of a sparse step."""
    return (
        t.dtype == torch.float32
        and t.is_cpu
        and t.ndim > 1
        and t.shape[-1] % 2 == 0
        and t.storage_offset() % 2 == 0
        and t.is_contiguous()
    )


def _coalesce(g: Tensor, scratch: Scratch) -> tuple[Index, Tensor]:
    """Unique indices of a sparse gradient and their values, duplicates summed."""
    if g.is_cpu and g.sparse_dim() == 1 and g._nnz() > SORTED:
        (index,), values = stored_entries(g)
        index, values = (index, values) if g.is_coalesced() else _sum_duplicates(index, values, scratch.get(len(g)))
        return (index,), values
    g = g.coalesce()
    return g.indices().unbind(), g.values()


def _sum_duplicates(index: Tensor, values: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Coalesce without sorting: the last duplicate represents its row.

    Every entry scatters its position to its row, and gathers from there the position of the last duplicate.
    ``positions`` is read only where it was just written, and may be uninitialised.
    """
    own = torch.arange(len(index), dtype=torch.int32, device=index.device)
    last = positions.scatter_(0, index, own).gather(0, index)
    is_last = last == own
    if is_last.all():
        return index, values
    unique, duplicates = is_last.nonzero().squeeze(1), is_last.logical_not().nonzero().squeeze(1)
    rank = last.index_copy(0, unique, own[: len(unique)])  # rank[unique[i]] = i
    sums = values.index_select(0, unique)
    sums.index_add_(0, rank.index_select(0, last.index_select(0, duplicates)), values.index_select(0, duplicates))
    return index.index_select(0, unique), sums
