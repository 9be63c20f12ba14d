"""2.1 A backward pass to edit: its text, errors to plant in it, and what the checks find."""

import inspect
import re
import tempfile
import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from cs224d_l3 import numerical_gradient, relative_error
from cs224d_l3.gradient_check import FunctionReport, GradientCheckError, Report, check_function, check_gradients

from . import page
from .demand import UnusableError


class Affine(Function):
    @staticmethod
    def forward(ctx: Any, x: Any, W: Any, b: Any) -> Any:
        ctx.save_for_backward(x, W)
        return x @ W.T + b

    @staticmethod
    def backward(ctx: Any, delta: Any) -> Any:
        x, W = ctx.saved_tensors
        grad_x = delta @ W
        grad_W = delta.T @ x
        grad_b = delta.sum(0)
        return grad_x, grad_W, grad_b


PLANTED = {  # what is replaced in it, and by what
    "right": (),
    "sign": (("delta.T @ x", "-delta.T @ x"),),
    "thousandth": (("delta.T @ x", "1.001 * delta.T @ x"),),
    "index": (("delta @ W", "delta @ W.flip(1)"),),
    "sum": (("delta.sum(0)", "delta"),),
    "saved": (("ctx.save_for_backward(x, W)", "ctx.x, ctx.W = x, W"), ("ctx.saved_tensors", "ctx.x, ctx.W")),
}


def text(planted: str) -> str:
    """The Function as the reader edits it, with an error of ``PLANTED``."""
    code = "import torch\nfrom torch.autograd import Function\n\n\n" + re.sub(
        r": Any| -> Any", "", inspect.getsource(Affine)
    )
    for right, wrong in PLANTED[planted]:
        code = code.replace(right, wrong)
    return code


def load(code: str) -> type[Function]:
    """The last Function that the text defines."""
    namespace: dict[str, Any] = {"__name__": "edited"}
    try:
        exec(compile(code, "<edited>", "exec"), namespace)
    except SyntaxError as error:
        raise UnusableError("does not parse", line=error.lineno or 1, reason=error.msg) from None
    except (Exception, SystemExit) as error:
        raise UnusableError("raises", **_raised(error)) from None
    found = [t for t in namespace.values() if isinstance(t, type) and t.__module__ == "edited"]
    functions = [t for t in found if issubclass(t, Function)]
    if not functions:
        raise UnusableError("no Function")
    if functions[-1].backward is Function.backward:
        raise UnusableError("no backward", name=functions[-1].__name__)
    return functions[-1]


def _raised(error: BaseException) -> dict[str, str]:
    return {"error": type(error).__name__, "reason": page.plain(str(error).strip().split("\n")[0][:200])}


# ------------------------------------------------------------------------------------------- at one point


class Compared(NamedTuple):
    """The gradient of one argument by the backward pass and by differences: the element where they differ most."""

    argument: str
    element: str
    by_formula: float
    by_differences: float
    relative_error: float


def inputs(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"x": (4, 3), "W": (2, 3), "b": (2,), "v": (4, 2)}
    return {name: torch.randn(s, generator=generator, dtype=torch.float64) for name, s in shapes.items()}


def compare(function: type[Function], h: float = 1e-5) -> list[Compared]:
    """The gradients of J = sum(v o z) with respect to x, W and b."""
    given = inputs()
    v = given.pop("v")
    leaves = {name: t.clone().requires_grad_() for name, t in given.items()}
    compared = []
    try:
        J = (v * function.apply(*leaves.values())).sum()
        gradients = torch.autograd.grad(J, list(leaves.values()), allow_unused=True, materialize_grads=True)
        for (name, t), gradient in zip(given.items(), gradients, strict=True):

            def changed(t: Tensor, name: str = name) -> Tensor:
                return (v * function.apply(*(given | {name: t}).values())).sum()

            differences = numerical_gradient(changed, t, h)
            i = int((gradient - differences).abs().argmax())
            index = "".join(str(k + 1) for k in _unravel(i, t.shape))
            values = float(gradient.flatten()[i]), float(differences.flatten()[i])
            compared.append(Compared(name, f"{name}_{{{index}}}", *values, relative_error(gradient, differences)))
    except Exception as error:
        raise UnusableError("raises", **_raised(error)) from None
    return compared


def _unravel(i: int, shape: torch.Size) -> list[int]:
    return [int(k) for k in torch.unravel_index(torch.tensor(i), shape)]


def verdict(function: type[Function]) -> Report:
    """:func:`check_gradients` at the same point."""
    given = inputs()
    leaves = [given[name].requires_grad_() for name in ("x", "W", "b")]
    try:
        return check_gradients(function.apply, leaves, names=["x", "W", "b"], raise_exception=False)
    except Exception as error:
        raise UnusableError("raises", **_raised(error)) from None


# ---------------------------------------------------------------------------------------- every property


class Account(NamedTuple):
    """What became of each property, and what is wrong, with the call that shows it."""

    report: FunctionReport
    message: str = ""


def check(function: type[Function]) -> Account:
    """:func:`check_function` at calls that hypothesis draws."""
    from hypothesis.configuration import set_hypothesis_home_dir
    from hypothesis.errors import HypothesisDeprecationWarning

    with tempfile.TemporaryDirectory() as home, warnings.catch_warnings():
        set_hypothesis_home_dir(home)  # its cache, else in the current folder
        warnings.simplefilter("ignore", HypothesisDeprecationWarning)  # other threads draw random numbers too
        try:
            return Account(check_function(function.apply, "x=batch n, W=m n, b=m", name=function.__name__, seconds=20))
        except GradientCheckError as error:
            return Account(error.report, str(error))
        except Exception as error:
            raise UnusableError("raises", **_raised(error)) from None
        finally:
            set_hypothesis_home_dir(None)
