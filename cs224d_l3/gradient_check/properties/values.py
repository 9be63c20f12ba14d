"""Values and gradients: of the right shape and dtype, finite, right in every precision, those of a reference."""

import torch
from torch import Tensor

from ..call import Call
from ..report import PASSED, GradientCheckError, Outcome, not_applicable, not_supported
from ..spy import spied


def returned_gradients(call: Call) -> Outcome:
    """``backward`` itself returns the shapes and dtypes of the inputs; the engine corrects both silently."""
    arguments = call.arguments()
    outputs = call.outputs(arguments)
    with spied(outputs) as seen:
        call.gradients(arguments, outputs)
    if seen.returns:
        raise GradientCheckError(seen.returns[0])
    return PASSED


def finiteness(call: Call) -> Outcome:
    """Finite inputs give finite values and gradients, as far as the true ones are finite."""
    values, gradients = call.plain
    if any(y.isnan().any() for y in values):
        nearer = [x * 2.0**-5 if i in call.differentiable else x for i, x in enumerate(call.values)]
        with torch.no_grad():
            if all(y.isfinite().all() for y in call.outputs(call.arguments(values=nearer))):
                raise GradientCheckError(
                    "the value is NaN for finite inputs, and finite for inputs of a thirtieth: an overflow on the way?"
                )
    elif all(y.isfinite().all() for y in values):
        for k, g in zip(call.differentiable, gradients, strict=True):
            if g.isnan().any():
                raise GradientCheckError(f"the gradient of {call.names[k]} is NaN although the value is finite")
    return PASSED


def precisions(call: Call) -> Outcome:
    """float32, bfloat16 and float16 give values and gradients of their dtype, right at their precision."""
    if not call.ordinary:
        return not_applicable("extreme or tied values")
    outputs = call.plain[0]
    if any(y.dtype != torch.float64 for y in outputs):
        raise GradientCheckError(f"float64 inputs give an output of {outputs[0].dtype}")
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        low = [x.to(dtype) if i in call.differentiable else x for i, x in enumerate(call.values)]
        high = [x.double() if i in call.differentiable else x for i, x in enumerate(low)]
        v = [a.to(dtype) for a in call.grad_outputs(outputs)]
        exact = call.run(call.arguments(values=high), [a.double() for a in v])
        try:
            found = _run_spied(call, dtype, low, v)
        except (RuntimeError, NotImplementedError) as error:
            return not_supported(error)
        tensors = [x for x in high if isinstance(x, Tensor)]
        bound = _rounding(dtype, tensors, [*exact[0], *exact[1]])
        for what, some, right in zip(("value", "gradient"), found, exact, strict=True):
            for a, b in zip(some, right, strict=True):
                off = (a.detach().double() - b).abs()
                if a.numel() and b.isfinite().all() and not (off <= bound).all():
                    raise GradientCheckError(
                        f"the {what} in {dtype} is {float(off.max()):.3g} from that in float64:"
                        f" its precision allows {bound:.1g}"
                    )
    return PASSED


def _run_spied(
    call: Call, dtype: torch.dtype, values: list[Tensor], v: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    arguments = call.arguments(values=values)
    outputs = call.outputs(arguments)
    if any(y.dtype != dtype for y in outputs):
        raise GradientCheckError(f"{dtype} inputs give an output of {outputs[0].dtype}")
    with spied(outputs) as seen:
        gradients = call.gradients(arguments, outputs, v)
    for sentence in [*seen.returns, *seen.writes]:
        raise GradientCheckError(sentence)
    return outputs, gradients


def _rounding(dtype: torch.dtype, inputs: list[Tensor], results: list[Tensor]) -> float:
    """An error bound: roundings of the largest number, which grow with the root of the terms of a sum."""
    numbers = [t for t in [*inputs, *results] if t.numel() and t.is_floating_point()]
    largest = max([1.0, *(float(t.abs().max()) for t in numbers)])
    terms = max(1, *(x.numel() for x in inputs))
    return 16 * torch.finfo(dtype).eps * largest * terms**0.5


def reference(call: Call) -> Outcome:
    """Values and gradients are those of the reference."""
    if call.reference is None:
        return not_applicable("no reference")
    arguments = call.arguments()
    outputs = call.outputs(arguments, call.reference)
    gradients = call.gradients(arguments, outputs)
    call.assert_same(call.plain[0], outputs, "the value is not the reference's")
    call.assert_same(call.plain[1], gradients, "the gradient is not the reference's", precision=1e-7)
    return PASSED
