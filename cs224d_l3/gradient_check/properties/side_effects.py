"""Side effects: what a function writes to, what it keeps, and what one call does to the next."""

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..call import Call, flat
from ..point import is_equal, is_real
from ..report import PASSED, GradientCheckError, Outcome, showing
from ..spy import spied

AGAIN = "backward through the graph a second time"  # torch's words where the graph is gone


def no_mutation(call: Call) -> Outcome:
    """Neither forward nor backward writes to an input or to grad_output, the incoming gradient."""
    arguments = call.arguments()
    tensors = [(name, x) for name, x in zip(call.names, arguments, strict=True) if isinstance(x, Tensor)]
    before = [(x._version, x.detach().clone()) for _, x in tensors]

    def assert_unchanged(part: str) -> None:
        for (name, x), (version, old) in zip(tensors, before, strict=True):
            if x._version != version or not is_equal(x.detach(), old):
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
                _change(arguments[i])
            with showing(after=[call.names[i] + _CHANGE[is_real(x)], *_GRADIENTS]):
                _assert_change_noticed(call, arguments, outputs, call.names[i])
    arguments = call.arguments()
    outputs = call.outputs(arguments)
    for y in outputs:
        if y.requires_grad and not y._is_view():
            _change(y.detach())
    with showing(after=["{y}" + _CHANGE[True], *_GRADIENTS]):
        _assert_change_noticed(call, arguments, outputs, "the output")
    _assert_outputs_freed(call)
    return PASSED


_CHANGE = {True: ".detach().mul_(-0.5).add_(0.7)", False: ".zero_()"}  # as code
_GRADIENTS = ["torch.autograd.grad({y}, {leaves}, {v})"]


def _change(x: Tensor) -> None:
    if is_real(x):
        x.mul_(-0.5).add_(0.7)
    else:
        x.zero_()


def _assert_change_noticed(call: Call, arguments: Sequence[Any], outputs: Sequence[Tensor], name: str) -> None:
    try:
        found = call.gradients(arguments, outputs)
    except RuntimeError:  # torch noticed
        return
    sentence = f"{name} was changed after forward and the gradient silently with it"
    call.assert_same_gradients(found, call.plain[1], sentence)


def _assert_outputs_freed(call: Call) -> None:
    call.outputs(call.arguments())  # warm up: one-time caches are not leaks
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
    for a, b in zip(flat(call.run()), flat(call.plain), strict=True):
        if not is_equal(a, b):
            call.assert_same([a], [b], "two calls with the same inputs disagree", precision=1e-12)
    _assert_calls_interleave(call)
    _assert_same_without_grad(call)
    return PASSED


def _assert_gradients_not_overwritten(call: Call) -> None:
    arguments = call.arguments()
    outputs = call.outputs(arguments)
    if not all(y.requires_grad for y in outputs):
        return
    leaves = [arguments[i] for i in call.differentiable]

    def backward(seed: int) -> tuple[Tensor | None, ...]:
        v = call.grad_outputs(outputs, seed)
        return torch.autograd.grad(outputs, leaves, v, retain_graph=True, allow_unused=True)

    first = backward(0)
    try:
        backward(5)
    except RuntimeError as error:
        if AGAIN in str(error):  # it takes gradients inside of itself, and lets go of their graph
            return
        raise
    pairs = [
        (i, g.to_dense(), right)
        for i, g, right in zip(call.differentiable, first, call.plain[1], strict=True)
        if g is not None
    ]
    if pairs:
        of, found, right = zip(*pairs, strict=True)
        sentence = "a second backward pass overwrites the gradients of the first"
        call.assert_same_gradients(found, right, sentence, of=of)


def _assert_calls_interleave(call: Call) -> None:
    other_values = call.other_values or call.values
    _, alone = call.run(call.arguments(values=other_values))
    first, second = call.arguments(), call.arguments(values=other_values)
    y_1, y_2 = call.outputs(first), call.outputs(second)
    in_between = call.gradients(first, y_1, retain_graph=True)
    call.assert_same_gradients(in_between, call.plain[1], "a call in between changes the gradients")
    try:
        again = call.gradients(first, y_1)
    except RuntimeError as error:
        if AGAIN not in str(error):
            raise
        again = in_between
    call.assert_same_gradients(again, call.plain[1], "a second backward pass gives other gradients")
    call.assert_same_gradients(call.gradients(second, y_2), alone, "a call before changes the gradients")


def _assert_same_without_grad(call: Call) -> None:
    arguments = call.arguments()
    try:
        with torch.no_grad():
            outputs = call.outputs(arguments)
    except RuntimeError as error:
        if "does not require grad" in str(error):  # it takes gradients inside of itself
            return
        raise
    call.assert_same_values(outputs, call.plain[0], "values change under torch.no_grad()")
    # a view of an input that requires a gradient says so of itself, and has no grad_fn
    if any(y.requires_grad and y.grad_fn is not None and not y._is_view() for y in outputs):
        raise GradientCheckError("the output requires a gradient under torch.no_grad()")
