"""2.1 Gradient check: a gradient by formula against the same gradient by differences. For any torch code.

:func:`check_gradients` judges one point, :func:`check_call` every property of a differentiable function at one call;
both need torch alone. :func:`check_function` and :func:`check_module` draw their inputs with hypothesis.
``python -m cs224d_l3.gradient_check`` does the same from the command line. A call of each, in order:

================= ======================== ==========================================================
check_gradients   ``point_check``          one point, from the call to the verdict
..                ``point``                outputs there, and gradients by the backward pass
..                ``finite_differences``   the same gradients by differences
..                ``error_bounds``         how far either may be off, which is the tolerance
..                ``comparison``           both side by side; kinks and ties
..                ``judgement``            which elements are wrong; bisection to them
check_function    ``function_check``       the options, the calls, the report
..                ``declaration``          "x=batch n, W=m n": shape and kind of the arguments
..                ``inputs``               kinds of values, and the calls that no check goes without
..                ``strategies``           further calls, drawn by hypothesis
..                ``draws``                runs them, and looks for a smaller one that fails
..                ``account``              every property at every call, and what came of it
..                ``conditions``           what all checks run under: warnings, a seed
..                ``call``                 one call: its outputs and gradients, and again in another way
..                ``properties``           one function for each property
..                ``spy``                  hand-written backward passes, observed
..                ``plain``                complex and sparse tensors as dense real ones
..                ``operations``           torch's operations, observed: precision, number
check_module      ``module_check``         the same for a Module, by its inputs and its parameters
..                ``stateless``            a Module as a function of both
all               ``report``               verdicts and messages
..                ``listing``              a failing call as code
the command       ``child``                the process that the checks run in
..                ``progress``             a line on a terminal
================= ======================== ==========================================================
"""

from .finite_differences import numerical_gradient, numerical_jacobian, relative_error
from .function_check import check_call, check_function
from .module_check import check_module
from .point_check import check_gradients
from .report import Finding, FunctionReport, GradientCheckError, Report

__all__ = [
    "Finding",
    "FunctionReport",
    "GradientCheckError",
    "Report",
    "check_call",
    "check_function",
    "check_gradients",
    "check_module",
    "numerical_gradient",
    "numerical_jacobian",
    "relative_error",
]
