"""2.1 The derivative by differences: two evaluations of J for every number in theta."""

from collections.abc import Callable

import torch
from torch import Tensor

from .._checks import check_floating, check_number


def numerical_gradient(J: Callable[[Tensor], Tensor], theta: Tensor, h: float = 1e-5) -> Tensor:
    """The centred difference of snippet 2.1, for every element of theta:

        dJ/dtheta_i = (J(theta + h e_i) - J(theta - h e_i)) / (2 h),    exact to O(h^2).

    Args:
        J: a function of one tensor, whose value is one number.
        theta: where, any shape, float64; it is not written to.
        h: the step, above 0.

    Returns:
        the gradient, of theta's shape.

    Raises:
        TypeError: theta is not float64: the difference of two float32 values this close is rounding.
        ValueError: J gives more than one number, or h is not a finite number above 0.
    """
    check_number("h", h, above=0)
    check_floating("theta", theta)
    if theta.dtype != torch.float64:
        raise TypeError(f"theta must be float64, for a difference this small drowns in rounding, got {theta.dtype}")
    theta = theta.detach().clone(memory_format=torch.contiguous_format)
    elements, gradient = theta.view(-1), torch.empty_like(theta)
    with torch.no_grad():
        for i, old in enumerate(elements.tolist()):
            elements[i] = old + h
            J_plus = _one_number(J(theta))
            elements[i] = old - h
            J_minus = _one_number(J(theta))
            elements[i] = old  # restore to previous value (very important!)
            gradient.view(-1)[i] = (J_plus - J_minus) / (2 * h)
    return gradient


def relative_error(a: Tensor, b: Tensor) -> float:
    """max |a - b| / max(|a|, |b|) over all elements, against the largest of them; 0 for two zeros.

    Measured against the largest element, not each against itself: a difference can tell nothing of an
    element that is tiny beside the others.
    """
    if a.shape != b.shape:
        raise ValueError(f"b must have the shape of a, {tuple(a.shape)}, got {tuple(b.shape)}")
    if a.numel() == 0:
        return 0.0
    a, b = a.detach(), b.detach()
    difference, size = (a - b).abs().max(), torch.maximum(a.abs().max(), b.abs().max())
    return 0.0 if size == 0 else float(difference / size)


def _one_number(J: Tensor) -> float:
    if not isinstance(J, Tensor) or J.numel() != 1:
        given = tuple(J.shape) if isinstance(J, Tensor) else type(J).__name__
        raise ValueError(f"J must give a tensor of one number, got {given}")
    return J.item()
