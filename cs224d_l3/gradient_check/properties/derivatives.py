"""Derivatives: first and second order by the backward pass, and forward mode."""

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .. import point
from ..call import Call
from ..judgement import compare_gradients
from ..point import random_signed_like
from ..report import PASSED, GradientCheckError, Outcome, Report, no_verdict, not_applicable, not_supported
from ..spy import is_once_differentiable

NOT_SMOOTH = "no element can be judged by differences: kinks, jumps or ties"


def gradients(call: Call) -> Outcome:
    """The gradient is that of finite differences; again for other values of the same shapes."""
    if not any(call.values[i].numel() for i in call.differentiable):
        return not_applicable("no element to differentiate by")
    if call.surrogate and _is_that_of_the_surrogate(call):
        return PASSED
    _assert_right("the gradient", call.report)
    checked = call.report.checked
    if call.other_values is not None:
        other = compare_gradients(call.point(call.other_values), tolerance=call.tolerance)
        _assert_right("the gradient", other, at_others=True)
        checked += other.checked
    return PASSED if checked else no_verdict(NOT_SMOOTH)


def _is_that_of_the_surrogate(call: Call) -> bool:
    """As autograd takes it, which x + (x.round() - x).detach() is written for; differences do not see a detach."""
    arguments = call.arguments()
    expected = call.gradients(arguments, call.outputs(arguments, call.surrogate))
    try:
        call.assert_same_gradients(call.plain[1], expected, "", max(1e-9, call.tolerance))
    except GradientCheckError:
        return False
    return True


def second_order(call: Call) -> Outcome:
    """The gradient of the gradient is that of finite differences, by the inputs and by grad_output."""
    if call.surrogate:
        return not_applicable("the gradient is a surrogate's")
    if not call.ordinary:
        return not_applicable("extreme or tied values")
    first = call.point(call.values)
    if not all(g.isfinite().all() for g in call.plain[1]):
        return no_verdict("a gradient that is not finite")
    try:
        if reason := _records_nothing(call):
            return not_supported(reason)
        report = compare_gradients(point.second_order(first), max_elements=12, tolerance=call.tolerance)
    except (RuntimeError, NotImplementedError) as error:
        return not_supported(str(error).splitlines()[0])
    except ValueError as error:
        if isinstance(error.__cause__, RuntimeError | NotImplementedError):
            return not_supported(str(error.__cause__).splitlines()[0])
        raise
    _assert_right("the gradient of the gradient", report)
    return PASSED if report.checked else no_verdict(NOT_SMOOTH)


def _records_nothing(call: Call) -> str:
    """Why the backward pass cannot be differentiated, where it says so."""
    arguments = call.arguments()
    outputs = [y for y in call.outputs(arguments) if y.requires_grad]
    v = [random_signed_like(y, k).requires_grad_() for k, y in enumerate(outputs)]
    leaves = [arguments[i] for i in call.differentiable]
    gradients = torch.autograd.grad(outputs, leaves, v, create_graph=True, allow_unused=True)
    found = [g for g in gradients if g is not None]
    if is_once_differentiable(found):
        return "@once_differentiable"
    if any(g.to_dense().any() for g in found) and not any(g.requires_grad for g in found):
        raise GradientCheckError(
            "the backward pass is not recorded, so that second derivatives are silently zero: compute it with"
            " differentiable operations, or mark it @once_differentiable"
        )
    return ""


def _assert_right(name: str, report: Report, at_others: bool = False) -> None:
    if report.verdict == "fail":
        raise GradientCheckError(f"{name} is wrong at {report.findings[0]}", report, at_others)


def forward_mode(call: Call) -> Outcome:
    """<v, J t> by forward mode is <J^T v, t> by the backward pass, for tangents of all inputs and of each alone."""
    if call.surrogate:
        return not_applicable("the gradient is a surrogate's")
    if call.report.verdict != "ok":
        return no_verdict("finite differences cannot judge every derivative here")
    fn = call.along_kinds(call.fn)
    arguments = call.arguments()
    vjp = call.gradients(arguments, call.outputs(arguments, fn))
    tangents = [random_signed_like(call.values[i], 7 + i) for i in call.differentiable]
    terms = [g * t for g, t in zip(vjp, tangents, strict=True)]
    for only in (None, *range(len(tangents))) if len(tangents) > 1 else (None,):
        used = {i: tangents[k] for k, i in enumerate(call.differentiable) if only in (None, k)}
        with forward_ad.dual_level():
            arguments = call.arguments(needs=())
            duals = [forward_ad.make_dual(x, used[i]) if i in used else x for i, x in enumerate(arguments)]
            try:
                outputs = call.outputs(duals, fn)
            except (RuntimeError, NotImplementedError) as error:
                return not_supported(error)
            v_jvp = [random_signed_like(y, k) * jvp for k, y in enumerate(outputs) if (jvp := _tangent(y)) is not None]
        forward = sum(float(t.sum()) for t in v_jvp)
        backward = float(sum(t.sum() for k, t in enumerate(terms) if only in (None, k)))
        size = sum(float(t.abs().sum()) for t in [*v_jvp, *terms])
        if abs(forward - backward) <= 1e-9 * size:
            continue
        noise = sum(far * float(t.abs().sum()) for far, t in zip(call.noise[1], tangents, strict=True))
        precision = max(1e-9, 64 * call.eps, call.tolerance)
        least = 64 * call.eps * float(sum(t.abs().sum() for t in tangents))  # terms may cancel
        if not abs(forward - backward) <= precision * size + 64 * noise + least:
            if custom := call.operations.custom:
                return not_supported(f"forward mode loses the tangent in {', '.join(sorted(custom))}, a custom_op")
            raise GradientCheckError(
                f"forward mode and the backward pass disagree: {forward:.8g} against {backward:.8g}"
            )
    return PASSED


def _tangent(y: Tensor) -> Tensor | None:
    tangent: Tensor | None = forward_ad.unpack_dual(y).tangent
    if tangent is not None and tangent.shape != y.shape:
        raise GradientCheckError(f"forward mode gives a tangent of shape {tuple(tangent.shape)} for {tuple(y.shape)}")
    return tangent
