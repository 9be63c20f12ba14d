"""2.1 Gradient check: a gradient by formula against the same gradient by differences. For any torch code.

:func:`check_gradients` judges one point and needs torch alone. :func:`check_function` and :func:`check_module` draw
their inputs with hypothesis and check all that a differentiable function owes its users; they are imported when first
asked for. ``python -m cs224d_l3.gradient_check`` does the same from the command line.
"""

from typing import TYPE_CHECKING, Any

from .check import check_gradients
from .numerical import numerical_gradient, numerical_jacobian, relative_error
from .report import Finding, GradientCheckError, Report

if TYPE_CHECKING:
    from .function import FunctionReport, check_function, check_module

__all__ = [
    "Finding",
    "FunctionReport",
    "GradientCheckError",
    "Report",
    "check_function",
    "check_gradients",
    "check_module",
    "numerical_gradient",
    "numerical_jacobian",
    "relative_error",
]


def __getattr__(name: str) -> Any:
    """What needs hypothesis is imported when it is first asked for."""
    if name in ("FunctionReport", "check_function", "check_module"):
        from . import function

        return getattr(function, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
