"""Values and gradients: of the right shape and dtype, finite, right in every precision, those of a reference."""

from typing import Any

import torch
from torch import Tensor

from ..call import Call, flat
from ..operations import Operations, TooManyOperationsError
from ..point import is_real, random_signed_like
from ..report import PASSED, GradientCheckError, Outcome, no_verdict, not_applicable, not_supported, showing
from ..spy import spied

OVERFLOWS_ABOVE = 8.0  # in absolute value: a NaN nearer to zero is the end of a domain, and no overflow


def returned_gradients(call: Call) -> Outcome:
    """``backward`` itself returns the shapes and dtypes of the inputs; the engine corrects both silently."""
    arguments = call.arguments()
    outputs = call.outputs(arguments)
    with spied(outputs) as seen:
        call.gradients(arguments, outputs)
    if seen.returns:
        raise GradientCheckError(seen.returns[0])
    if seen.unreduced and "unreduced" not in call.allow:
        is_right = call.report.verdict == "ok"
        comment = ": what arrives is right, and some kernels rely on it" if is_right else ""
        raise GradientCheckError(seen.unreduced[0] + comment)
    return PASSED if seen.calls else not_applicable("no hand-written backward pass")


def finiteness(call: Call) -> Outcome:
    """Finite inputs give finite values and gradients, as far as the true ones are finite."""
    if not call.is_finite:
        return _assert_no_overflow(call)
    _, gradients = call.plain
    for k, (i, g) in enumerate(zip(call.differentiable, gradients, strict=True)):
        if g.isnan().any() and _has_slopes(call, k):
            raise GradientCheckError(f"the gradient of {call.names[i]} is NaN although the value is finite")
    return PASSED


def _assert_no_overflow(call: Call) -> Outcome:
    """The value is NaN: by overflow on the way, if it is finite nearer to zero, or outside the domain."""
    if not any(y.isnan().any() for y in call.outputs(call.arguments())):
        return PASSED  # infinite, and it may well be
    largest = max(float(x.abs().max()) if (x := call.values[i]).numel() else 0.0 for i in call.differentiable)
    if largest <= OVERFLOWS_ABOVE:
        return no_verdict("the value is NaN")

    def nearer(most: float) -> list[Any]:
        return [x * (most / largest) if i in call.differentiable else x for i, x in enumerate(call.values)]

    if call.gives_finite(nearer(OVERFLOWS_ABOVE)) and call.gives_finite(nearer(0.5)):
        raise GradientCheckError(
            f"the value is NaN for inputs up to {largest:.3g} and finite up to {OVERFLOWS_ABOVE:g}: an overflow on the"
            " way?"
        )
    return no_verdict("the value is NaN")


def _has_slopes(call: Call, k: int) -> bool:
    """Whether f has slopes in the k-th differentiable input: bounded, and either those of a kink, between which a
    gradient could lie, or additive, as those of a gradient are. The factor of a singular matrix has none."""
    i = call.differentiable[k]

    def slope(direction: Tensor, h: float) -> Tensor | None:
        values = list(call.values)
        values[i] = values[i] + h * direction
        if not call.gives_finite(values):
            return None
        moved = call.outputs(call.arguments(values=values))
        return torch.cat([((a - b) / h).detach().reshape(-1) for a, b in zip(moved, call.plain[0], strict=True)])

    d, e = (random_signed_like(call.values[i], seed) for seed in (11, 12))
    h = 2.0**-16
    slopes = [slope(d, 2.0**-10), slope(d, h), slope(d, 2.0**-22), slope(d, -h), slope(e, h), slope(d + e, h)]
    if any(s is None for s in slopes):
        return False
    far, right, near, left, other, both = (s for s in slopes if s is not None)
    size = max(float(far.abs().max()), 1e-6)
    if float(near.abs().max()) > 4 * size:
        return False
    is_kink = float((right - left).abs().max()) > 1e-2 * size
    return is_kink or float((both - right - other).abs().max()) <= 1e-2 * size


def precisions(call: Call) -> Outcome:
    """float32, bfloat16 and float16 give values and gradients of their dtype, right at their precision."""
    if not call.ordinary:
        return not_applicable("extreme or tied values")
    if call.values[call.differentiable[0]].dtype != torch.float64:
        return not_applicable("one dtype alone")
    outputs = call.plain[0]
    if coarser := [y.dtype for y in outputs if y.dtype != torch.float64]:
        if "dtype" in call.allow:
            return not_applicable("the caller chooses the dtype")
        raise GradientCheckError(f"float64 inputs give an output of {coarser[0]}")
    compared, refused = 0, ""
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        low = [x.to(dtype) if is_real(x) else x for x in call.values]
        high = [x.double() if isinstance(x, Tensor) and x.dtype == dtype else x for x in low]
        if not call.gives_finite(high):
            continue
        v = [a.to(dtype) for a in call.grad_outputs(outputs)]
        exact = call.run(call.arguments(values=high), [a.double() for a in v])
        real = [i for i, x in enumerate(call.values) if is_real(x)]
        code = call.replacing(real, f"{{x}}.to({dtype})"), [f"torch.autograd.grad({{y}}, {{leaves}}, {_in(dtype, v)})"]
        try:
            with showing(*code), Operations(limit=200 * call.operations.count + 10_000):
                found = _run_spied(call, dtype, low, v)
        except GradientCheckError:
            raise
        except TooManyOperationsError:
            refused = f"{dtype}: does not end within 100 times the operations of float64"
            continue
        except Exception as error:
            refused = f"{dtype}: {type(error).__name__}: {error}".splitlines()[0]
            continue
        with showing(*code):
            compared += _assert_right(call, dtype, low, found, exact)
    if not compared:
        return not_supported(refused) if refused else no_verdict("no finite value in a lower precision")
    return PASSED


def _in(dtype: torch.dtype, v: list[Tensor]) -> str:
    """grad_output, or several, in a dtype, as code."""
    return f"{{v}}.to({dtype})" if len(v) == 1 else f"[t.to({dtype}) for t in {{v}}]"


def _run_spied(call: Call, dtype: torch.dtype, values: list[Any], v: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    arguments = call.arguments(values=values)
    outputs = call.outputs(arguments)
    eps = torch.finfo(dtype).eps
    if coarser := [y.dtype for y in outputs if torch.finfo(y.dtype).eps > eps]:
        raise GradientCheckError(f"{dtype} inputs give an output of {coarser[0]}")
    v = [a.to(y.dtype) for a, y in zip(v, outputs, strict=True)]
    with spied(outputs) as seen:
        gradients = call.gradients(arguments, outputs, v)
    for sentence in [*seen.returns, *seen.writes]:
        raise GradientCheckError(sentence)
    return outputs, gradients


def _assert_right(call: Call, dtype: torch.dtype, inputs: list[Any], found: Any, exact: Any) -> int:
    """Value and gradients in a dtype against those in float64; how many tensors could be compared."""
    tensors = [x for x in inputs if isinstance(x, Tensor)]
    bound = _rounding(dtype, tensors, [*exact[0], *exact[1]])
    compared = 0
    for k, (a, b) in enumerate(zip(flat(found), flat(exact), strict=True)):
        what = "value" if k < len(exact[0]) else "gradient"
        a = a.detach().double()
        if not a.numel() or not b.isfinite().all() or b.abs().max() > 0.1 * torch.finfo(dtype).max:
            continue
        if a.isnan().any():
            raise GradientCheckError(f"the {what} in {dtype} is NaN, and in float64 it is {float(b.max()):.3g}")
        off = float((a - b).abs().max())
        compared += 1
        allowed = bound + call.tolerance * float(b.abs().max())
        if off > allowed and a.isfinite().all():  # it may be a sum whose terms cancel
            allowed += 16 * flat(call.moves(inputs))[k]
        if off > allowed and a.isfinite().all():
            raise GradientCheckError(
                f"the {what} in {dtype} is {off:.3g} from that in float64: its precision allows {allowed:.1g}"
            )
    return compared


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
    call.assert_same_values(call.plain[0], outputs, "the value is not the reference's")
    precision = max(1e-7, call.tolerance)
    call.assert_same_gradients(call.plain[1], gradients, "the gradient is not the reference's", precision)
    return PASSED
