"""The properties of a differentiable function, on inputs that hypothesis draws. Needs hypothesis."""

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky
from torch import Tensor, nn

from .._checks import check_size
from . import strategies
from .call import Call
from .declaration import Argument, parse
from .inputs import Inputs, standard_inputs
from .properties import PROPERTIES
from .report import FunctionReport, GradientCheckError, call_as_code
from .spy import assert_spy_sees


def check_function(
    fn: Callable[..., Any],
    declaration: str | Mapping[str, Any],
    reference: Callable[..., Any] | None = None,
    *,
    examples: int = 8,
    skip: Iterable[str] = (),
    require: Iterable[str] = (),
    constants: Mapping[str, Any] | None = None,
    domains: Mapping[str, tuple[float | None, float | None]] | None = None,
    fixed: Mapping[str, Tensor] | None = None,
    name: str | None = None,
) -> FunctionReport:
    """Checks a differentiable function: its gradients, and the other properties that its users rely on.

        def test_affine():
            check_function(affine, "x=... n, W=m n, b=m", reference=torch.nn.functional.linear)

    Hypothesis draws shapes (sizes 0 and 1 among them) and values (zeros, ties, exact kinks, tails); the same draws
    on every run. What fails is shrunk to the smallest call, printed as code. The checks, by name:

    gradients                   against finite differences, for two sets of values of the same shapes
    returned_gradients          shapes and dtypes of what ``backward`` itself returns
    incoming_gradients          (``grad_output``) linear in them; negative, zero, expanded, strided
    input_layouts               transposed, strided, offset, expanded
    subsets                     of the inputs requiring a gradient
    repeated_arguments          one tensor as two arguments
    no_mutation                 of inputs, of incoming gradients
    saving                      by save_for_backward: later changes are noticed, nothing leaks
    repetition                  same call, same result; second backward pass; interleaved calls; no_grad
    finiteness                  finite in, finite out
    precisions                  float32, bfloat16, float16
    second_order, forward_mode, batching, batched_incoming_gradients
                                if the function offers them; if it says that it does not, the report says so
    reference                   values and gradients of another function

    Args:
        fn: the function; its arguments are given by position, in the order of the declaration.
        declaration: the dimensions of each argument, see :mod:`cs224d_l3.gradient_check.declaration`.
        reference: another function of the same arguments, that is known to be right.
        examples: calls to draw, beyond a fixed set of every kind of value and of sizes 0, 1 and square.
        skip: checks to leave out.
        require: checks that must be supported: not to offer them is a failure.
        constants: keyword arguments that stay the same.
        domains: lowest and highest value of an argument, where the function is not defined everywhere.
        fixed: values of some arguments, in place of draws.
        name: of the function, for messages.

    Returns:
        a :class:`FunctionReport`.

    Raises:
        GradientCheckError: the smallest failing call, and what is wrong.
        ValueError: a declaration that cannot be read or met, unknown checks, a function that raises on every call,
            gives no floating-point tensor, or does not depend on its inputs.
    """
    check_size("examples", examples)
    skip, require = tuple(skip), tuple(require)
    for check in (*skip, *require):
        if check not in PROPERTIES:
            raise ValueError(f"checks are {', '.join(PROPERTIES)}, got {check!r}")
    arguments = parse(declaration, domains, fixed)
    if all(a.is_index for a in arguments):
        raise ValueError("declaration must hold an argument that is no index, to be differentiated by")
    assert_spy_sees()
    name = name or str(getattr(fn, "__name__", type(fn).__name__))
    names = [p for p in PROPERTIES if p != "reference" or reference]
    report = FunctionReport(name, dict.fromkeys(names, 0), {}, skip)
    constants = constants or {}
    reference = functools.partial(reference, **constants) if reference else None
    check_call = _CallCheck(functools.partial(fn, **constants), reference, constants, require, report)
    with warnings.catch_warnings():
        # torch's forward mode, about itself
        warnings.filterwarnings("ignore", message=r".*torch\.jit", category=DeprecationWarning)
        try:
            _check_calls(check_call, arguments, examples)
        except Flaky as error:
            raise GradientCheckError(
                f"{name} fails once and passes the next time, so it is non-deterministic or stateful"
                " (is it random, or does it remember earlier calls?)"
            ) from error
    return report


def _check_calls(check_call: Callable[[Inputs], None], arguments: Sequence[Argument], examples: int) -> None:
    """The standard calls, then those that hypothesis draws; where one fails, the smallest that hypothesis finds."""

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies.inputs(arguments))
    def check_drawn_calls(inputs: Inputs) -> None:
        check_call(inputs)

    for inputs in standard_inputs(arguments):
        try:
            check_call(inputs)
        except GradientCheckError as error:
            check_drawn_calls()
            raise error from error.__cause__
    check_drawn_calls()


@dataclass
class _CallCheck:
    """Every property at one call; what is passed or not supported goes into the report, what fails is raised."""

    fn: Callable[..., Any]
    reference: Callable[..., Any] | None
    constants: Mapping[str, Any]
    require: tuple[str, ...]
    report: FunctionReport

    def __call__(self, inputs: Inputs) -> None:
        name = "call"
        tensors = inputs.tensors
        call = Call(self.fn, list(tensors), list(tensors.values()), inputs.ordinary, self.reference)
        try:
            _assert_differentiable(call)
            for name in self.report.runs:
                if name not in self.report.skipped and (name not in self.report.unsupported or name in self.require):
                    self._check_property(name, call)
        except GradientCheckError as error:
            raise self._failure(name, str(error), inputs) from None
        except NotUsableError:
            raise
        except Exception as error:
            raise self._failure(name, f"raises {type(error).__name__}: {error}", inputs) from error

    def _check_property(self, name: str, call: Call) -> None:
        outcome = PROPERTIES[name](call)
        if outcome.verdict != "not supported":
            self.report.runs[name] += 1
        elif name in self.require:
            raise GradientCheckError(f"not supported: {outcome.reason}")
        else:
            self.report.unsupported[name] = outcome.reason

    def _failure(self, check: str, sentence: str, inputs: Inputs) -> GradientCheckError:
        code = call_as_code(self.report.name, inputs.tensors, self.constants)
        first = f"{self.report.name}, check {check!r}: {sentence}"
        return GradientCheckError("\n    ".join([f"{first}\nThe smallest call found:", *code]))


class NotUsableError(ValueError):
    """The function cannot be checked at all."""


def _assert_differentiable(call: Call) -> None:
    """The call gives tensors that have a gradient, and the same ones again."""
    out = call.fn(*call.arguments())
    tensors = [y for y in (out if isinstance(out, tuple | list) else (out,)) if isinstance(y, Tensor)]
    if any(y.is_complex() for y in tensors):
        raise NotUsableError("complex outputs are not supported: return the real and the imaginary part")
    if not any(y.is_floating_point() for y in tensors):
        raise NotUsableError(f"the function must return a floating-point tensor, got {out!r:.60}")
    if not any(y.requires_grad for y in tensors):
        raise GradientCheckError("the output does not depend on the inputs: its gradient is lost")
    again = call.outputs(call.arguments())
    for a, b in zip([y for y in tensors if y.is_floating_point()], again, strict=True):
        if a.shape != b.shape or not torch.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True):
            raise GradientCheckError(
                "the same call gives another value the second time, so the function is non-deterministic or stateful"
                " (is it random, or does it remember earlier calls?)"
            )


def check_module(
    module: nn.Module,
    declaration: str | Mapping[str, Any],
    *,
    examples: int = 10,
    skip: Iterable[str] = (),
    **options: Any,
) -> FunctionReport:
    """:func:`check_function` of a Module, by its inputs and by its parameters, at the parameters it has.

    The Module itself is left as it is: the checks work on float64 copies of its parameters and buffers.

    Args:
        module: in the mode (train or eval) that is to be checked.
        declaration: of its inputs; sizes that the Module fixes are given as numbers.
        examples, skip, options: as for :func:`check_function`.

    Raises:
        As :func:`check_function`; ValueError for a declaration that names a parameter's name.
    """
    inputs = parse(declaration)
    trained = {key: p for key, p in module.named_parameters() if p.requires_grad}
    frozen = {key: p for key, p in module.named_parameters() if not p.requires_grad}
    fixed = {key.replace(".", "_"): p.detach().double() for key, p in trained.items()}
    if clash := {a.name for a in inputs} & fixed.keys():
        raise ValueError(f"declaration must not use the names of parameters, got {sorted(clash)}")

    def call(*arguments: Any) -> Any:
        x, theta = arguments[: len(inputs)], arguments[len(inputs) :]
        dtype = theta[0].dtype if theta else x[0].dtype
        kept = {key: value.detach().clone() for key, value in {**frozen, **dict(module.named_buffers())}.items()}
        kept = {key: value.to(dtype) if value.is_floating_point() else value for key, value in kept.items()}
        return torch.func.functional_call(module, {**dict(zip(trained, theta, strict=True)), **kept}, x)

    whole = {a.name: a.text for a in inputs} | {key: " ".join(map(str, p.shape)) for key, p in fixed.items()}
    name = options.pop("name", type(module).__name__)
    return check_function(call, whole, examples=examples, skip=skip, fixed=fixed, name=name, **options)
