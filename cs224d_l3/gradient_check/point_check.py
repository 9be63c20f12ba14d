"""2.1 The gradient check at one point."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from .._checks import check_number, check_size
from .judgement import compare_gradients
from .point import Point, second_order
from .report import GradientCheckError, Report


def check_gradients(
    f: Callable[..., Any],
    inputs: Sequence[Any] | Tensor,
    *,
    order: int = 1,
    max_elements: int = 256,
    names: Sequence[str] | None = None,
    raise_exception: bool = True,
    h: float = 2.0**-10,
) -> Report:
    """Compares autograd's gradients of f at one point with finite differences.

    f may return tensors of any shape: checked are the gradients of sum(v o f(...)) for two v (``grad_outputs``), one
    of both signs and one with a single entry. Centred differences are taken in float64 and come with a bound of their
    error (:func:`~cs224d_l3.gradient_check.finite_differences.derivative`); that bound is the tolerance, so a
    derivative that is off by a millionth is found where f is smooth. Gradients of float32, bfloat16 and float16
    inputs are judged at their own precision against differences of f at the same point in float64.

    Up to ``max_elements`` input elements are checked one by one. Beyond that the gradient is checked along random
    directions of ones and minus ones, where one wrong element shows as well as all, and a direction that is wrong
    is bisected until the element is found.

    Args:
        f: a function, or a Module.
        inputs: its arguments in order, or its one argument. Those that require a gradient are checked.
        order: 2 checks the gradients of the gradients as well, with respect to the inputs and to v.
        max_elements: beyond this, by directions.
        names: of the arguments, for messages; f's own by default.
        raise_exception: False returns the report of a failure in place of raising it.
        h: the largest step, relative to elements above 1.

    Returns:
        a :class:`Report`: "ok", or "inconclusive" where elements lie on a kink or a jump or are not finite.

    Raises:
        GradientCheckError: an element outside its bound, named, with both values, the bound, and what to look at.
        TypeError: complex inputs, or f returns no floating-point tensor.
        ValueError: no input requires a gradient, f's values do not depend on one, or f is non-deterministic or
            stateful.
    """
    check_number("h", h, above=0)
    check_size("max_elements", max_elements, at_least=0)
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    names = list(names) if names else argument_names(f, len(inputs))
    point = Point(f, inputs, names)
    report = compare_gradients(point, max_elements, h)
    if order == 2 and report:
        report = _merge(report, compare_gradients(second_order(point), max_elements, h))
    if raise_exception and not report:
        raise GradientCheckError(f"the gradient is wrong at {report.findings[0]}", report)
    return report


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """f's own names for its arguments, as far as it has some."""
    owner: Any = getattr(f, "__self__", None)
    is_function = isinstance(owner, type) and issubclass(owner, Function)
    call = owner.forward if is_function else f.forward if isinstance(f, torch.nn.Module) else f
    try:
        parameters = list(inspect.signature(call).parameters.values())
        if is_function and owner.setup_context is Function.setup_context:
            parameters = parameters[1:]  # ctx
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [names[i] if i < len(names) else f"input {i}" for i in range(count)]


def _merge(first: Report, second: Report) -> Report:
    verdicts = {first.verdict, second.verdict}
    verdict = next(v for v in ("fail", "inconclusive", "ok") if v in verdicts)
    return Report(
        verdict, first.findings + second.findings, first.checked + second.checked, first.unjudged + second.unjudged
    )
