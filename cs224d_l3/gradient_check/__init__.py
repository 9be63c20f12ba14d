"""2.1 Gradient check: a gradient by formula against the same gradient by differences. For any torch code.

:func:`check_gradients` judges one point and needs torch alone. :func:`check_function` and :func:`check_module` draw
their inputs with hypothesis and check every property of a differentiable function; they are imported when first
asked for. ``python -m cs224d_l3.gradient_check`` does the same from the command line. A call of each, in order:

================= ======================== ==========================================================
check_gradients   ``point_check``          one point, from the call to the verdict
..                ``point``                outputs there, and gradients by the backward pass
..                ``finite_differences``   the same gradients by differences
..                ``error_bounds``         how far either may be off, which is the tolerance
..                ``comparison``           both side by side; bisection to the wrong element
check_function    ``function_check``       every property at every call
..                ``declaration``          "x=batch n, W=m n": the shapes of the arguments
..                ``inputs``               kinds of values, and the calls that no check goes without
..                ``strategies``           further calls, drawn by hypothesis
..                ``call``                 one call: its outputs and gradients, and again in another way
..                ``properties``           one function a property
..                ``spy``                  hand-written backward passes, observed
both              ``report``               verdicts and messages
================= ======================== ==========================================================
"""

from typing import TYPE_CHECKING, Any

from .comparison import relative_error
from .finite_differences import numerical_gradient, numerical_jacobian
from .point_check import check_gradients
from .report import Finding, FunctionReport, GradientCheckError, Report

if TYPE_CHECKING:
    from .function_check import check_function, check_module

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
    """Names that need hypothesis are imported when they are first asked for."""
    if name in ("check_function", "check_module"):
        from . import function_check

        return getattr(function_check, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
