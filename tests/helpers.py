"""What the tests draw and read, and a few things they all compare with."""

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from cs224d_l3 import UNITS
from cs224d_l3.gradient_check.strategies import arguments
from evidence.planted_bugs import function

# ulps at 1, by type; a few of them are what two ways to round may differ by
EPS = {dtype: torch.finfo(dtype).eps for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16)}

unit_names = st.sampled_from(sorted(UNITS))
sizes = st.integers(1, 5)
seeds = st.integers(0, 2**31 - 1)

COLUMNS = "".join(f"{who} O\nlives O\nin O\n{where} LOC\n. O\n\n" for who in "ABCDEFGH" for where in ("Rome", "Oslo"))
TEXT = "the cat sat .\na the dog ran .\nthe dog sat .\n" * 12


def leaves(declaration: str) -> st.SearchStrategy[list[Tensor]]:
    """Arguments of a declaration, standard normal where they are no indices, and to be differentiated by."""
    drawn = arguments(declaration, kinds=["normal"])
    return drawn.map(lambda tensors: [x.requires_grad_(x.is_floating_point()) for x in tensors.values()])


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64, grad: bool = True) -> Tensor:
    """Standard normal numbers, the same for the same seed and shape."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_(grad)


def gradients(f: Callable[..., Tensor], *inputs: Any, order: int = 1) -> list[Tensor]:
    """Autograd's gradients of sum(v o f) with fixed v of both signs; order 2 adds the gradients of those."""
    inputs = tuple(x.detach().clone().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs)
    leaves = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    out = f(*inputs)
    J = (out * normal(*out.shape, seed=1, dtype=out.dtype, grad=False)).sum()
    found = list(torch.autograd.grad(J, leaves, create_graph=order > 1, materialize_grads=True))
    if order > 1:
        total = sum((g * normal(*g.shape, seed=2, dtype=g.dtype, grad=False)).sum() for g in found)
        if total.requires_grad:
            found += torch.autograd.grad(total, leaves, materialize_grads=True)
        else:
            found += [torch.zeros_like(x) for x in leaves]
    return [g.detach() for g in found]


def assert_same_gradients(
    ours: Callable[..., Tensor], torchs: Callable[..., Tensor], *inputs: Any, order: int = 2
) -> None:
    """Value and gradients of two functions agree to rounding."""
    torch.testing.assert_close(ours(*inputs), torchs(*inputs))
    for a, b in zip(gradients(ours, *inputs, order=order), gradients(torchs, *inputs, order=order), strict=True):
        torch.testing.assert_close(a, b)


def wrong_by(factor: float) -> Callable[..., Tensor]:
    """tanh, its gradient off by a factor."""
    return function(torch.tanh, lambda d, x, output: factor * d * (1 - output**2))
