"""Quicker ways to the update of AdaGrad: one pass over memory, lists of tensors, the rows of sparse gradients.

Each equals ``adagrad.update``; ``choose`` finds the one that is right for a batch.
"""

from collections.abc import Callable
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._torch_adagrad import (
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

_dtype, _device, _is_cpu, _is_sparse = map(attrgetter, ("dtype", "device", "is_cpu", "is_sparse"))


class Batch(NamedTuple):
    """Parameters, their gradients, and their accumulators."""

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
    """The kernels that a group's options allow, the quickest first, each with the question where it is right.

    What is traced or differentiated is the formula itself.
    """
    if torch.compiler.is_compiling() or group["differentiable"]:
        return ()
    automatic = group["foreach"] is None and group["fused"] is not False
    kernels: Kernels = ((fused, _are_fusible),) if group["fused"] or automatic else ()
    if group["foreach"]:
        return (*kernels, (foreach, _are_alike))
    return (*kernels, (foreach, _are_alike_on_gpu)) if automatic else kernels


def choose(kernels: Kernels, batch: Batch) -> Kernel | None:
    """The first kernel that is right for the whole batch."""
    return next((kernel for kernel, is_right in kernels if is_right(batch)), None)


def fused(batch: Batch, lr: Any, weight_decay: float, maximize: bool) -> None:
    """The update in one pass over memory.

    The kernel adds its eps to the root, so it gets the smallest there is, which shows only where somebody has set
    G to 0. It reads the step for its decay of the rate, which is 0 here.
    """
    assert fused_adagrad_ is not None
    steps, eps = [torch.ones((), device="cpu")] * len(batch.thetas), torch.finfo(batch.thetas[0].dtype).tiny
    fused_adagrad_(*batch, steps, lr=float(lr), lr_decay=0.0, weight_decay=weight_decay, eps=eps, maximize=maximize)


def foreach(batch: Batch, lr: Any, weight_decay: float, maximize: bool) -> None:
    """The update for a list of tensors at a time."""
    thetas, gs, Gs = batch
    if maximize:
        gs = list(foreach_neg(gs))
    if weight_decay:
        gs = list(foreach_add(gs, thetas, alpha=weight_decay))
    foreach_addcmul_(Gs, gs, gs)
    steps = list(foreach_div(gs, list(foreach_sqrt(Gs))))
    foreach_mul_(steps, lr)
    foreach_sub_(thetas, steps)


def _are_alike(batch: Batch) -> bool:
    """Whether all are plain tensors of one real type, on one device."""
    thetas, gs, Gs = batch
    return (
        {*map(type, thetas), *map(type, gs)} <= {Tensor, torch.nn.Parameter}
        and len(set(map(_dtype, chain(thetas, gs, Gs)))) == 1
        and not thetas[0].is_complex()
        and (all(map(_is_cpu, thetas)) or len(set(map(_device, thetas))) == 1)
    )


def _are_alike_on_gpu(batch: Batch) -> bool:
    return batch.thetas[0].is_cuda and _are_alike(batch)


def _are_fusible(batch: Batch) -> bool:
    """Whether torch's CPU kernel, which looks at neither sizes nor strides, is right: all alike, without gaps."""
    thetas, gs, Gs = batch
    if (
        fused_adagrad_ is None
        or thetas[0].dtype not in (torch.float32, torch.float64)
        or not thetas[0].is_cpu
        or not _are_alike(batch)
        or not (list(map(Tensor.numel, thetas)) == list(map(Tensor.numel, gs)) == list(map(Tensor.numel, Gs)))
    ):
        return False
    if all(map(Tensor.is_contiguous, chain(thetas, gs, Gs))):
        return True
    last = {"memory_format": torch.channels_last}
    return len(thetas) == 1 and thetas[0].ndim == 4 and all(t.is_contiguous(**last) for (t,) in batch)


# -------------------------------------------------------------------------------------- sparse gradients

Index = tuple[Tensor, ...]


class Scratch:
    """One int32 a row of the largest table, kept: of ten million rows, mapping it anew takes longer than the step."""

    def __init__(self) -> None:
        self._memory = torch.empty(0, dtype=torch.int32, device="cpu")

    def of(self, size: int) -> Tensor:
        if len(self._memory) < size:
            self._memory = torch.empty(size, dtype=torch.int32, device="cpu")
        return self._memory


def gather_rows(batch: Batch, scratch: Scratch) -> tuple[Batch, list[tuple[Tensor, Index, Tensor]]]:
    """The batch with rows in place of every table that has a sparse gradient, and (table, index, rows) to put back."""
    if not any(map(_is_sparse, batch.gs)):
        return batch, []
    gathered, tables = Batch([], [], []), []
    for theta, g, G in zip(*batch, strict=True):
        if g.is_sparse:
            at, values = _coalesce(g.to(G.dtype), scratch)
            rows, sums = _take(theta, at), _take(G, at)
            gathered.append(rows, values, sums)
            tables += [(theta, at, rows), (G, at, sums)]
        else:
            gathered.append(theta, g, G)
    return gathered, tables


def put_rows(table: Tensor, at: Index, rows: Tensor) -> None:
    """table[at] = rows, by the quicker call for whole rows."""
    if len(at) > 1:
        table[at] = rows
        return
    if _holds_pairs(table) and _holds_pairs(rows):
        table, rows = table.view(torch.float64), rows.view(torch.float64)
    table.index_copy_(0, at[0], rows)


def _take(table: Tensor, at: Index) -> Tensor:
    """table[at], by the quicker call for whole rows."""
    return table.index_select(0, at[0]) if len(at) == 1 else table[at]


def _holds_pairs(t: Tensor) -> bool:
    """Whether float32 rows can be copied as float64, two numbers at a time: up to a tenth of a sparse step."""
    return (
        t.dtype == torch.float32
        and t.is_cpu
        and t.ndim > 1
        and t.shape[-1] % 2 == 0
        and t.storage_offset() % 2 == 0
        and t.is_contiguous()
    )


def _coalesce(g: Tensor, scratch: Scratch) -> tuple[Index, Tensor]:
    """The index of every row that a sparse gradient holds, each once, and the values there."""
    if g.is_cpu and g.sparse_dim() == 1:
        (at,), values = stored_entries(g)
        at, values = (at, values) if g.is_coalesced() else _sum_duplicates(at, values, scratch.of(len(g)))
        return (at,), values
    g = g.coalesce()
    return g.indices().unbind(), g.values()


def _sum_duplicates(at: Tensor, values: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Coalesce without sorting: the last duplicate represents its row.

    Every entry writes its position to its row; what it reads there is the position of the last one. Only positions
    that were just written are read, so they need no initial values.
    """
    own = torch.arange(len(at), dtype=torch.int32, device=at.device)
    last = positions.scatter_(0, at, own).gather(0, at)
    represents = last == own
    if represents.all():
        return at, values
    kept, others = represents.nonzero().squeeze(1), represents.logical_not().nonzero().squeeze(1)
    place = last.index_copy(0, kept, own[: len(kept)])  # of a representative, among the representatives
    sums = values.index_select(0, kept)
    sums.index_add_(0, place.index_select(0, last.index_select(0, others)), values.index_select(0, others))
    return at.index_select(0, kept), sums
