"""What all checks run under: without torch's warnings about its own transforms, and, on demand, with a seed."""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves


@contextlib.contextmanager
def own_warnings_ignored() -> Iterator[None]:
    """torch warns about its own forward mode and vmap, which the function did not ask for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
        yield


def seeded(fn: Callable[..., Any], seed: int) -> Callable[..., Any]:
    """The function with torch's generator at the same state before every forward and backward pass."""

    def set_seed(_: Any) -> None:
        torch.manual_seed(seed)

    @functools.wraps(fn, updated=())
    def call(*arguments: Any, **keywords: Any) -> Any:
        torch.manual_seed(seed)
        out = fn(*arguments, **keywords)
        for y in tree_leaves(out):
            if isinstance(y, Tensor) and y.grad_fn is not None:
                y.grad_fn.register_prehook(set_seed)
        return out

    return call
