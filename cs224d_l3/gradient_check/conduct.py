"""How a differentiable function behaves: what it writes to, keeps, returns, and at what precision."""

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .case import Case, UnsupportedError
from .point import signed
from .watch import recorded


def no_mutation(case: Case) -> None:
    """Neither forward nor backward writes to an input or to the incoming gradient."""
    arguments = case.arguments()
    tensors = [(name, x) for name, x in zip(case.names, arguments, strict=True) if isinstance(x, Tensor)]
    versions, before = [x._version for _, x in tensors], [x.detach().clone() for _, x in tensors]
    outputs = case.call(arguments)

    def unchanged(part: str) -> None:
        for (name, x), version, old in zip(tensors, versions, before, strict=True):
            if x._version != version or not torch.equal(x.detach().nan_to_num(), old.nan_to_num()):
                case.fail(f"{part} writes to its input {name}")

    unchanged("forward")
    v = [signed(y, k) for k, y in enumerate(outputs)]
    copies = [a.clone() for a in v]
    with recorded(outputs) as wrong:
        case.backward(arguments, outputs, v)
    unchanged("backward")
    if any(not torch.equal(a, b) for a, b in zip(v, copies, strict=True)):
        case.fail("backward writes to the incoming gradient")
    for sentence in wrong:
        if "writes" in sentence:
            case.fail(sentence)


def returned_gradients(case: Case) -> None:
    """What ``backward`` itself returns has the shapes and types of the inputs; the engine mends both in silence."""
    arguments = case.arguments()
    outputs = case.call(arguments)
    with recorded(outputs) as wrong:
        case.backward(arguments, outputs)
    if wrong:
        case.fail(wrong[0])


def saving(case: Case) -> None:
    """What backward needs is kept by ``save_for_backward``: a later change is noticed, and nothing is kept for ever."""
    expected = case.usual[1]
    for i, x in enumerate(case.values):
        if isinstance(x, Tensor) and x.numel():
            arguments = case.arguments()
            outputs = case.call(arguments)
            with torch.no_grad():
                arguments[i].mul_(0) if i not in case.differentiable else arguments[i].mul_(-0.5).add_(0.7)
            _notices(case, arguments, outputs, expected, f"{case.names[i]} was changed after forward")
    arguments = case.arguments()
    outputs = case.call(arguments)
    for y in outputs:
        if y.requires_grad and not y._is_view():
            y.detach().mul_(-0.5).add_(0.7)
    _notices(case, arguments, outputs, expected, "the output was changed after forward")
    case.call(case.arguments())  # what a first call sets up for good is no leak
    enabled = gc.isenabled()
    gc.disable()
    try:
        outputs = case.call(case.arguments())
        alive = [weakref.ref(y) for y in outputs if y.requires_grad]
        outputs.clear()
        if any(y() is not None for y in alive):
            case.fail("the output is kept alive after its last use: a tensor on ctx that save_for_backward should hold")
    finally:
        if enabled:
            gc.enable()


def _notices(
    case: Case, arguments: Sequence[Any], outputs: Sequence[Tensor], expected: list[Tensor], what: str
) -> None:
    try:
        found = case.backward(arguments, outputs)
    except RuntimeError:  # torch noticed
        return
    case.same(found, expected, f"{what} and the gradient silently with it")


def repetition(case: Case) -> None:
    """The same call gives the same bits; a second backward pass the same gradients; calls do not disturb each other."""
    values, gradients = case.usual
    again = case.outcome()
    arguments = case.arguments()
    outputs = case.call(arguments)
    leaves = [arguments[i] for i in case.differentiable]
    rounds = [
        torch.autograd.grad(
            outputs, leaves, [signed(y, k + n) for k, y in enumerate(outputs)], retain_graph=True, allow_unused=True
        )
        for n in (0, 5)
        if all(y.requires_grad for y in outputs)
    ]
    if rounds:
        first = [g for g in rounds[0] if g is not None]
        case.same(
            first,
            [right for g, right in zip(rounds[0], gradients, strict=True) if g is not None],
            "a second backward pass overwrites the gradients of the first",
        )
    for a, b in zip([*again[0], *again[1]], [*values, *gradients], strict=True):
        if not torch.equal(a.nan_to_num(), b.nan_to_num()):
            case.same([a], [b], "two calls with the same inputs disagree", precision=1e-12)
    first, second = case.arguments(), case.arguments(values=case.others())
    alone = case.outcome(case.arguments(values=case.others()))
    y_1, y_2 = case.call(first), case.call(second)
    case.same(case.backward(first, y_1, retain_graph=True), gradients, "a call in between changes the gradients")
    case.same(case.backward(first, y_1), gradients, "a second backward pass gives other gradients")
    case.same(case.backward(second, y_2), alone[1], "a call before changes the gradients")
    with torch.no_grad():
        outputs = case.call(case.arguments())
    case.same(outputs, values, "values change under torch.no_grad()")
    if any(y.requires_grad for y in outputs):
        case.fail("the output requires a gradient under torch.no_grad()")


def finiteness(case: Case) -> None:
    """Finite inputs give finite values and gradients, as far as the true ones are finite."""
    values, gradients = case.usual
    if any(y.isnan().any() for y in values):
        nearer = [x * 2.0**-5 if i in case.differentiable else x for i, x in enumerate(case.values)]
        with torch.no_grad():
            if all(y.isfinite().all() for y in case.call(case.arguments(values=nearer))):
                case.fail(
                    "the value is nan for finite inputs, and finite for inputs of a thirtieth: an overflow on the way?"
                )
    elif all(y.isfinite().all() for y in values):
        for k, g in zip(case.differentiable, gradients, strict=True):
            if g.isnan().any():
                case.fail(f"the gradient of {case.names[k]} is nan although the value is finite")


def precisions(case: Case) -> None:
    """float32, bfloat16 and float16 give values and gradients of their type, right at their precision."""
    if not case.ordinary:
        return
    if any(y.dtype != torch.float64 for y in case.usual[0]):
        case.fail(f"float64 inputs give an output of {case.usual[0][0].dtype}")
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        low = [x.to(dtype) if i in case.differentiable else x for i, x in enumerate(case.values)]
        high = [x.double() if i in case.differentiable else x for i, x in enumerate(low)]
        v = [signed(y, k).to(dtype) for k, y in enumerate(case.usual[0])]
        exact, exact_gradients = case.outcome(case.arguments(values=high), [a.double() for a in v])
        arguments = case.arguments(values=low)
        try:
            outputs = case.call(arguments)
            if any(y.dtype != dtype for y in outputs):
                case.fail(f"{dtype} inputs give an output of {outputs[0].dtype}")
            with recorded(outputs) as wrong:
                found = case.backward(arguments, outputs, v)
            if wrong:
                case.fail(wrong[0])
        except (RuntimeError, NotImplementedError) as error:
            raise UnsupportedError(str(error)) from None
        eps = torch.finfo(dtype).eps
        most = max(
            [
                1.0,
                *(float(x.abs().max()) for x in high if isinstance(x, Tensor) and x.numel() and x.is_floating_point()),
            ]
        )
        size = max([float(t.abs().max()) for t in [*exact, *exact_gradients] if t.numel()], default=0.0)
        terms = max(x.numel() for x in low if isinstance(x, Tensor))
        bound = 16 * eps * max(size, most) * max(1.0, terms) ** 0.5
        for what, some, right in (("value", outputs, exact), ("gradient", found, exact_gradients)):
            for a, b in zip(some, right, strict=True):
                if a.numel() and b.isfinite().all() and not ((a.detach().double() - b).abs() <= bound).all():
                    worst = float((a.detach().double() - b).abs().max())
                    case.fail(
                        f"the {what} in {dtype} is {worst:.3g} from that in float64: its precision allows {bound:.1g}"
                    )


def reference(case: Case) -> None:
    """Values and gradients are those of the reference."""
    if case.reference is None:
        return
    arguments = case.arguments()
    outputs = case.call(arguments, case.reference)
    case.same(case.usual[0], outputs, "the value is not the reference's")
    case.same(case.usual[1], case.backward(arguments, outputs), "the gradient is not the reference's", precision=1e-7)
