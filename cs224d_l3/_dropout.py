"""Dropout, for the networks of this package: each element is 0 with probability p, and otherwise divided by 1 - p.

Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 2014.
"""

import torch
from torch import Tensor, nn

from ._checks import check_floating, check_number
from ._torch import is_transformed

BITS = 16  # random bits of an element


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    r"""$x \circ m$, where $m_i$ is 0 with probability p and else $1 / (1 - p)$. As ``torch.nn.functional.dropout``.

    On the CPU each element takes 16 random bits, about ten times as fast as a random float: p is rounded to a multiple
    of 1 / 65536, and the scale is that of the rounded p. The bits are those of torch's generator, but not the numbers
    that torch's dropout draws from it. Compiled and transformed code, and other devices, take torch's dropout.

    Args:
        x: any shape.
        p: dropout probability, in [0, 1).
        training: False returns x.

    Raises:
        ValueError: a p outside [0, 1).
        TypeError: an x that is not a floating-point tensor.
    """
    check_floating("x", x)
    check_number("p", p, at_least=0, below=1)
    if not training or p == 0:
        return x
    return nn.functional.dropout(x, p) if is_transformed() else x * dropout_mask(x, p)


def dropout_mask(x: Tensor, p: float) -> Tensor:
    """m, of the shape and dtype of x."""
    if not x.is_cpu:
        return torch.empty_like(x).bernoulli_(1 - p).div_(1 - p)
    levels = 2**BITS
    dropped = min(round(p * levels), levels - 1)
    bits = torch.empty(-(-x.numel() * BITS // 64), dtype=torch.int64).random_(-(2**63), None)
    numbers = bits.view(torch.int16)[: x.numel()].view(x.shape)  # in [-levels / 2, levels / 2)
    kept = torch.ge(numbers, dropped - levels // 2, out=x.new_empty(x.shape))
    return kept.mul_(levels / (levels - dropped))
