"""Derivatives: first and second order by the backward pass, and forward mode."""

from torch import Tensor
from torch.autograd import forward_ad

from .. import point
from ..call import Call
from ..comparison import compare_gradients
from ..point import Point, random_signed_like
from ..report import PASSED, GradientCheckError, Outcome, Report, not_applicable, not_supported

NO_DOUBLE_BACKWARD = ("once_differentiable", "derivative", "not implement", "double")  # in the words of torch


def gradients(call: Call) -> Outcome:
    """The gradient is that of finite differences; again for other values of the same shapes."""
    _assert_right("the gradient", call.report)
    other = Point(call.fn, call.arguments(values=call.other_values()), call.names)
    _assert_right("the gradient", compare_gradients(other))
    return PASSED


def second_order(call: Call) -> Outcome:
    """The gradient of the gradient is that of finite differences, by the inputs and by grad_output."""
    if not call.ordinary:
        return not_applicable("extreme or tied values")
    if sum(call.values[i].numel() for i in call.differentiable) > 12:
        return not_applicable("more than 12 elements")
    first = Point(call.fn, call.arguments(), call.names)
    try:
        report = compare_gradients(point.second_order(first))
    except (RuntimeError, NotImplementedError, ValueError) as error:
        if any(words in f"{error}{error.__cause__}" for words in NO_DOUBLE_BACKWARD):
            return not_supported(error)
        raise
    _assert_right("the gradient of the gradient", report)
    return PASSED


def _assert_right(name: str, report: Report) -> None:
    if report.verdict == "fail":
        raise GradientCheckError(f"{name} is wrong at {report.findings[0]}")


def forward_mode(call: Call) -> Outcome:
    """<v, J t> by forward mode is <J^T v, t> by the backward pass, for tangents of all inputs and of each alone."""
    if call.report.verdict != "ok":
        return not_applicable("finite differences cannot judge every derivative here")
    vjp = call.plain[1]
    tangents = [random_signed_like(call.values[i], 7 + i) for i in call.differentiable]
    terms = [g * t for g, t in zip(vjp, tangents, strict=True)]
    for only in (None, *range(len(tangents))) if len(tangents) > 1 else (None,):
        used = {i: tangents[k] for k, i in enumerate(call.differentiable) if only in (None, k)}
        with forward_ad.dual_level():
            arguments = call.arguments(needs=())
            duals = [forward_ad.make_dual(x, used[i]) if i in used else x for i, x in enumerate(arguments)]
            try:
                outputs = call.outputs(duals)
            except (RuntimeError, NotImplementedError) as error:
                return not_supported(error)
            v_jvp = [random_signed_like(y, k) * jvp for k, y in enumerate(outputs) if (jvp := _tangent(y)) is not None]
        forward = sum(float(t.sum()) for t in v_jvp)
        backward = float(sum(t.sum() for k, t in enumerate(terms) if only in (None, k)))
        size = sum(float(t.abs().sum()) for t in [*v_jvp, *terms])
        if not abs(forward - backward) <= 1e-9 * size:
            raise GradientCheckError(
                f"forward mode and the backward pass disagree: {forward:.8g} against {backward:.8g}"
            )
    return PASSED


def _tangent(y: Tensor) -> Tensor | None:
    tangent: Tensor | None = forward_ad.unpack_dual(y).tangent
    if tangent is not None and tangent.shape != y.shape:
        raise GradientCheckError(f"forward mode gives a tangent of shape {tuple(tangent.shape)} for {tuple(y.shape)}")
    return tangent
