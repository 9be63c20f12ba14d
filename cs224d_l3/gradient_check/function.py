"""The contract of a differentiable function, on inputs that hypothesis draws. Needs hypothesis."""

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from torch import Tensor, nn

from .._checks import check_size
from .case import Case, UnsupportedError
from .contract import CHECKS
from .report import GradientCheckError
from .strategies import KINDS, ORDINARY, parse, standard_calls, values
from .strategies import named_dims as draw_shapes


@dataclass
class FunctionReport:
    """What :func:`check_function` did.

    Attributes:
        name: of the function.
        runs: how often each check passed.
        unsupported: what the function does not offer, and what it says of it.
        skipped: checks left out on demand.
    """

    name: str
    runs: dict[str, int] = field(default_factory=dict)
    unsupported: dict[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.name}: ok"]
        for check, runs in self.runs.items():
            if check in self.unsupported:
                lines.append(f"  {check:26} not supported: {self.unsupported[check][:80]}")
            elif check in self.skipped:
                lines.append(f"  {check:26} skipped")
            else:
                lines.append(f"  {check:26} ok in {runs} calls")
        return "\n".join(lines)


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
    """Checks a differentiable function: its gradients, and all else that it owes its users.

        def test_affine():
            check_function(affine, "x=... n, W=m n, b=m", reference=torch.nn.functional.linear)

    Hypothesis draws shapes (sizes 0 and 1 among them) and values (zeros, ties, exact kinks, tails); the same draws
    on every run. What fails is shrunk to the smallest call, printed as code. The checks, by name:

    gradients                   against differences, for two sets of values of the same shapes
    returned_gradients          shapes and types of what ``backward`` itself returns
    incoming_gradients          linear in them; negative, zero, expanded, strided
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
        declaration: the dimensions of each argument, see :mod:`cs224d_l3.gradient_check.strategies`.
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
        if check not in CHECKS:
            raise ValueError(f"checks are {', '.join(CHECKS)}, got {check!r}")
    declared = parse(declaration)
    for what, some in (("domains", domains), ("fixed", fixed)):
        if unknown := set(some or {}) - {a.name for a in declared}:
            raise ValueError(f"{what} must name arguments of the declaration, got {sorted(unknown)}")
    if all(a.below for a in declared):
        raise ValueError("declaration must hold an argument that is no index, to be differentiated by")
    called = name or str(getattr(fn, "__name__", type(fn).__name__))
    bound = functools.partial(fn, **constants) if constants else fn
    bound_reference = functools.partial(reference, **constants) if constants and reference else reference
    report = FunctionReport(called, dict.fromkeys((c for c in CHECKS if c != "reference" or reference), 0), {}, skip)

    def run(tensors: dict[str, Tensor], ordinary: bool) -> None:
        case = Case(bound, list(tensors), list(tensors.values()), ordinary, bound_reference)
        check = "call"
        try:
            _probe(case)
            for check in report.runs:
                if check in skip or (check in report.unsupported and check not in require):
                    continue
                try:
                    CHECKS[check](case)
                    report.runs[check] += 1
                except UnsupportedError as error:
                    if check in require:
                        raise GradientCheckError(f"not supported: {error}") from None
                    report.unsupported[check] = str(error)
        except GradientCheckError as error:
            raise _failure(called, check, str(error), tensors, constants) from None
        except NotUsableError:
            raise
        except Exception as error:
            sentence = f"raises {type(error).__name__}: {error}"
            raise _failure(called, check, sentence, tensors, constants) from error

    def build(shapes: Mapping[str, tuple[int, ...]], kind: str, seeds: Iterable[int]) -> dict[str, Tensor]:
        tensors = {}
        for k, (argument, seed) in enumerate(zip(declared, seeds, strict=True)):
            if fixed and argument.name in fixed:
                tensors[argument.name] = fixed[argument.name].detach()
            elif argument.below:
                generator = torch.Generator().manual_seed(seed)
                below = shapes[f"<{argument.name}"][0]
                tensors[argument.name] = torch.randint(below, shapes[argument.name], generator=generator)
            else:
                low, high = (domains or {}).get(argument.name, (None, None))
                tensors[argument.name] = values(shapes[argument.name], kind, seed + 100 * k, low, high)
        return tensors

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(
        shapes=draw_shapes(declaration),
        kind=st.sampled_from(KINDS),
        seeds=st.tuples(*(st.integers(0, 99) for _ in declared)),
    )
    def property_(shapes: dict[str, tuple[int, ...]], kind: str, seeds: tuple[int, ...]) -> None:
        run(build(shapes, kind, seeds), kind in ORDINARY)

    def everything() -> None:
        for n, (shapes, kind) in enumerate(standard_calls(declaration)):
            try:
                run(build(shapes, kind, [n] * len(declared)), kind in ORDINARY)
            except GradientCheckError as error:
                property_()  # hypothesis may know a smaller call
                raise error from error.__cause__
        property_()

    try:
        with warnings.catch_warnings():
            # torch's forward mode, about itself
            warnings.filterwarnings("ignore", message=r".*torch\.jit", category=DeprecationWarning)
            everything()
    except Flaky as error:
        raise GradientCheckError(
            f"{called} fails once and passes the next time: is it random, or does it remember?"
        ) from error
    return report


class NotUsableError(ValueError):
    """The function cannot be checked at all."""


def _probe(case: Case) -> None:
    """The call gives something that has a gradient."""
    out = case.fn(*case.arguments())
    outputs = out if isinstance(out, tuple | list) else (out,)
    tensors = [y for y in outputs if isinstance(y, Tensor)]
    if any(y.is_complex() for y in tensors):
        raise NotUsableError("complex outputs are not supported: return the real and the imaginary part")
    if not any(y.is_floating_point() for y in tensors):
        raise NotUsableError(f"the function must return a floating-point tensor, got {out!r:.60}")
    if not any(y.requires_grad for y in tensors):
        raise GradientCheckError("the output does not depend on the inputs: its gradient is lost")
    again = case.call(case.arguments())
    for a, b in zip([y for y in tensors if y.is_floating_point()], again, strict=True):
        if a.shape != b.shape or not torch.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True):
            raise GradientCheckError(
                "the same call gives another value the second time: is it random, or does it remember?"
            )


def _failure(
    name: str, check: str, sentence: str, tensors: dict[str, Tensor], constants: Mapping[str, Any] | None
) -> GradientCheckError:
    lines = [f"{name}, check {check!r}: {sentence}", "The smallest call found:"]
    for key, x in tensors.items():
        numbers = f"{x.tolist()}" if x.numel() else f"[]).reshape({tuple(x.shape)}"
        kind = "torch.float64, requires_grad=True" if x.is_floating_point() else "torch.int64"
        if x.numel():
            lines.append(f"    {key} = torch.tensor({numbers}, dtype={kind})")
        else:
            grad = ", requires_grad=True" if x.is_floating_point() else ""
            lines.append(f"    {key} = torch.empty({tuple(x.shape)}, dtype={x.dtype}{grad})")
    keywords = "".join(f", {key}={value!r}" for key, value in (constants or {}).items())
    lines.append(f"    {name}({', '.join(tensors)}{keywords})")
    return GradientCheckError("\n".join(lines))


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
    parameters = {key.replace(".", "_"): p for key, p in module.named_parameters() if p.requires_grad}
    keys = [key for key, p in module.named_parameters() if p.requires_grad]
    rest = {key: p for key, p in module.named_parameters() if not p.requires_grad}
    if clash := {a.name for a in inputs} & parameters.keys():
        raise ValueError(f"declaration must not use the names of parameters, got {sorted(clash)}")

    def call(*arguments: Any) -> Any:
        x, theta = arguments[: len(inputs)], arguments[len(inputs) :]
        kept = {
            key: value.detach().clone().to(theta[0].dtype if theta else x[0].dtype)
            if value.is_floating_point()
            else value.detach().clone()
            for key, value in {**rest, **dict(module.named_buffers())}.items()
        }
        return torch.func.functional_call(module, {**dict(zip(keys, theta, strict=True)), **kept}, x)

    whole = {a.name: " ".join(a.dims) + (f" < {a.below}" if a.below else "") for a in inputs}
    whole |= {key: " ".join(map(str, p.shape)) for key, p in parameters.items()}
    fixed = {key: p.detach().double() for key, p in parameters.items()}
    name = options.pop("name", type(module).__name__)
    return check_function(call, whole, examples=examples, skip=skip, fixed=fixed, name=name, **options)
