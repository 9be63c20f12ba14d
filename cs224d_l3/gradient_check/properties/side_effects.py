"""Side effects: what a function writes to, what it keeps, and what one call does to the next."""

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..call import Call
from ..report import PASSED, GradientCheckError, Outcome
from ..spy import spied


def no_mutation(call: Call) -> Outcome:
    """Neither forward nor backward writes to an input or to grad_output, the incoming gradient."""
    arguments = call.arguments()
    tensors = [(name, x) for name, x in zip(call.names, arguments, strict=True) if isinstance(x, Tensor)]
    before = [(x._version, x.detach().clone()) for _, x in tensors]

    def assert_unchanged(part: str) -> None:
        for (name, x), (version, old) in zip(tensors, before, strict=True):
            if x._version != version or not torch.equal(x.detach().nan_to_num(), old.nan_to_num()):
                raise GradientCheckError(f"{part} writes to its input {name}")

    outputs = call.outputs(arguments)
    assert_unchanged("forward")
    v = call.grad_outputs(outputs)
    copies = [a.clone() for a in v]
    with spied(outputs) as seen:
        call.gradients(arguments, outputs, v)
    assert_unchanged("backward")
    if any(not torch.equal(a, b) for a, b in zip(v, copies, strict=True)):
        raise GradientCheckError("backward writes to grad_output, the incoming gradient")
    if seen.writes:
        raise GradientCheckError(seen.writes[0])
    return PASSED


def saving(call: Call) -> Outcome:
    """What backward needs is kept by ``save_for_backward``: later changes are noticed, and nothing leaks."""
    for i, x in enumerate(call.values):
        if isinstance(x, Tensor) and x.numel():
            arguments = call.arguments()
            outputs = call.outputs(arguments)
            with torch.no_grad():
                arguments[i].mul_(0) if i not in call.differentiable else arguments[i].mul_(-0.5).add_(0.7)
            _assert_change_noticed(call, arguments, outputs, call.names[i])
    arguments = call.arguments()
    outputs = call.outputs(arguments)
    for y in outputs:
        if y.requires_grad and not y._is_view():
            y.detach().mul_(-0.5).add_(0.7)
    _assert_change_noticed(call, arguments, outputs, "the output")
    _assert_outputs_freed(call)
    return PASSED


def _assert_change_noticed(call: Call, arguments: Sequence[Any], outputs: Sequence[Tensor], name: str) -> None:
    try:
        found = call.gradients(arguments, outputs)
    except RuntimeError:  # torch noticed
        return
    call.assert_same(found, call.plain[1], f"{name} was changed after forward and the gradient silently with it")


def _assert_outputs_freed(call: Call) -> None:
    call.outputs(call.arguments())  # what a first call sets up for good is no leak
    enabled = gc.isenabled()
    gc.disable()
    try:
        outputs = call.outputs(call.arguments())
        alive = [weakref.ref(y) for y in outputs if y.requires_grad]
        outputs.clear()
        if any(y() is not None for y in alive):
            raise GradientCheckError(
                "the output is kept alive after its last use: a tensor on ctx that save_for_backward should hold"
            )
    finally:
        if enabled:
            gc.enable()


def repetition(call: Call) -> Outcome:
    """The same call gives the same bits; a second backward pass the same gradients; calls do not disturb each other."""
    _assert_gradients_not_overwritten(call)
    for a, b in zip(_flat(call.run()), _flat(call.plain), strict=True):
        if not torch.equal(a.nan_to_num(), b.nan_to_num()):
            call.assert_same([a], [b], "two calls with the same inputs disagree", precision=1e-12)
    _assert_calls_interleave(call)
    _assert_same_without_grad(call)
    return PASSED


def _flat(run: tuple[list[Tensor], list[Tensor]]) -> list[Tensor]:
    return [*run[0], *run[1]]


def _assert_gradients_not_overwritten(call: Call) -> None:
    arguments = call.arguments()
    outputs = call.outputs(arguments)
    if not all(y.requires_grad for y in outputs):
        return
    leaves = [arguments[i] for i in call.differentiable]
    first, _ = (
        torch.autograd.grad(outputs, leaves, call.grad_outputs(outputs, seed), retain_graph=True, allow_unused=True)
        for seed in (0, 5)
    )
    pairs = [(g, right) for g, right in zip(first, call.plain[1], strict=True) if g is not None]
    sentence = "a second backward pass overwrites the gradients of the first"
    call.assert_same([g for g, _ in pairs], [right for _, right in pairs], sentence)


def _assert_calls_interleave(call: Call) -> None:
    other_values = call.other_values()
    _, alone = call.run(call.arguments(values=other_values))
    first, second = call.arguments(), call.arguments(values=other_values)
    y_1, y_2 = call.outputs(first), call.outputs(second)
    in_between = call.gradients(first, y_1, retain_graph=True)
    call.assert_same(in_between, call.plain[1], "a call in between changes the gradients")
    call.assert_same(call.gradients(first, y_1), call.plain[1], "a second backward pass gives other gradients")
    call.assert_same(call.gradients(second, y_2), alone, "a call before changes the gradients")


def _assert_same_without_grad(call: Call) -> None:
    with torch.no_grad():
        outputs = call.outputs(call.arguments())
    call.assert_same(outputs, call.plain[0], "values change under torch.no_grad()")
    if any(y.requires_grad for y in outputs):
        raise GradientCheckError("the output requires a gradient under torch.no_grad()")
