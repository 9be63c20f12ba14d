"""Observation of torch's operations while a function runs: the precision it works in, how many and which there are."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class TooManyOperationsError(Exception):
    """A limit of operations was passed."""


class Operations(TorchDispatchMode):
    """While it is active, notes the coarsest dtype that an operation rounds a finer tensor to, counts, and names those
    that are not torch's own.

    Args:
        limit: the number of operations after which TooManyOperationsError is raised; None for no limit.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit, self.count = limit, 0
        self.coarsest: torch.dtype | None = None
        self.custom: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.count += 1
        if func.namespace not in ("aten", "prim", "prims"):
            self.custom.add(f"{func.namespace}::{func._opname}")
        if self.limit is not None and self.count > self.limit:
            raise TooManyOperationsError(f"more than {self.limit} operations")
        into = floating_dtypes(out)
        if into and (found := floating_dtypes((args, kwargs))):
            coarse, finest = max(into, key=eps_of), min(found, key=eps_of)
            if eps_of(coarse) > eps_of(finest) and eps_of(coarse) > (eps_of(self.coarsest) if self.coarsest else 0):
                self.coarsest = coarse
        return out


def floating_dtypes(tree: Any) -> set[torch.dtype]:
    leaves = tree_leaves(tree)
    return {x.dtype for x in leaves if isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex())}


def eps_of(dtype: torch.dtype) -> float:
    return torch.finfo(dtype).eps
