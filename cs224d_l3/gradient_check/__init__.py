"""2.1 Gradient check: a gradient by formula against the same gradient by differences. For any torch code."""

from .check import GradientCheckError, check_gradients
from .numerical import numerical_gradient, relative_error

__all__ = ["GradientCheckError", "check_gradients", "numerical_gradient", "relative_error"]
