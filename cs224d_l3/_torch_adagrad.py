"""The private names of torch that AdaGrad uses, looked up once.

Where a release of torch no longer has one, a public call takes its place: slower, with the same result.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

fused_adagrad_: Callable[..., None] | None = getattr(torch, "_fused_adagrad_", None)


def _foreach(name: str, one: Callable[..., Tensor]) -> Callable[..., Any]:
    """torch's operator on lists of tensors, or the same operator on one tensor after the other."""

    def each(*args: Any, **options: Any) -> list[Tensor]:
        columns = [arg if isinstance(arg, list) else [arg] * len(args[0]) for arg in args]
        return [one(*row, **options) for row in zip(*columns, strict=True)]

    return getattr(torch, f"_foreach_{name}", each)


foreach_neg = _foreach("neg", torch.neg)
foreach_add = _foreach("add", torch.add)
foreach_div = _foreach("div", torch.div)
foreach_sqrt = _foreach("sqrt", torch.sqrt)
foreach_mul_ = _foreach("mul_", Tensor.mul_)
foreach_sub_ = _foreach("sub_", Tensor.sub_)
foreach_addcmul_ = _foreach("addcmul_", Tensor.addcmul_)


def stored_entries(g: Tensor) -> tuple[Tensor, Tensor]:
    """Indices and values of a sparse tensor as they are stored, duplicates included."""
    if hasattr(g, "_indices") and hasattr(g, "_values"):
        return g._indices(), g._values()
    g = g.coalesce()
    return g.indices(), g.values()
