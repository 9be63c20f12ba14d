"""Inputs: their strides, which of them require a gradient, one tensor as two of them, a batch of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..call import Call
from ..inputs import PROJECTIONS
from ..point import is_real
from ..report import PASSED, Outcome, no_verdict, not_applicable, not_supported, showing

LAYOUTS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "transposed": (lambda x: x.mT.contiguous().mT if x.ndim > 1 else x, "{x}.mT.contiguous().mT"),
    "strided": (
        lambda x: torch.stack([x, ~x if x.dtype == torch.bool else x + 1], dim=-1)[..., 0],
        "torch.stack([{x}, {x}], dim=-1)[..., 0]",
    ),
    "reversed": (
        lambda x: x.permute(_backwards(x)).contiguous().permute(_backwards(x)),
        "{x}.permute(*range({x}.ndim)[::-1]).contiguous().permute(*range({x}.ndim)[::-1])",
    ),
    "offset": (
        lambda x: torch.cat([x.new_zeros(1), x.reshape(-1)])[1:].view(x.shape),
        "torch.cat([{x}.new_zeros(1), {x}.reshape(-1)])[1:].view({x}.shape)",
    ),
    "channels last": (
        lambda x: x.to(memory_format=torch.channels_last) if x.ndim == 4 else x,
        "{x}.to(memory_format=torch.channels_last)",
    ),
}


def _backwards(x: Tensor) -> tuple[int, ...]:
    return tuple(reversed(range(x.ndim)))


def input_layouts(call: Call) -> Outcome:
    """Transposed, strided, offset and expanded inputs give the same values and gradients."""
    for name, (lay_out, code) in LAYOUTS.items():
        arguments = [lay_out(x) if isinstance(x, Tensor) else x for x in call.arguments(needs=())]
        arguments = [x.requires_grad_() if i in call.differentiable else x for i, x in enumerate(arguments)]
        tensors = [i for i, x in enumerate(arguments) if isinstance(x, Tensor)]
        changed = [i for i in tensors if arguments[i].stride() != call.values[i].stride() or name == "offset"]
        with showing(before=call.replacing(changed, code)):
            outputs = call.outputs(arguments)
            call.assert_same_values(outputs, call.plain[0], f"values change with {name} inputs")
            found = call.gradients(arguments, outputs)
            call.assert_same_gradients(found, call.plain[1], f"gradients change with {name} inputs")
    return _assert_expanded_like_copies(call)


def _assert_expanded_like_copies(call: Call) -> Outcome:
    """Equal rows, which may tie, or make a matrix singular: where the function refuses them, nothing is said."""
    flat = [x[:1].expand_as(x) if isinstance(x, Tensor) and x.ndim and len(x) else x for x in call.values]
    together = {"distinct", *PROJECTIONS}  # kinds of values that equal rows would not be of
    free = {i for i in call.differentiable if not call.kinds or call.kinds[i] not in together}
    flat = [x if i in free or not is_real(x) else call.values[i].clone() for i, x in enumerate(flat)]
    copies = replace(call, values=[x.contiguous() if isinstance(x, Tensor) else x for x in flat])
    if not copies.is_finite:
        return PASSED
    try:
        values, gradients = copies.plain
    except Exception:
        return PASSED
    with showing(before=call.replacing([i for i in free if call.values[i].ndim], "{x}[:1].expand_as({x})")):
        found = call.run([x.detach().requires_grad_() if i in call.differentiable else x for i, x in enumerate(flat)])
        sentence = "expanded inputs and their copies give different results"
        copies.assert_same_values(found[0], values, sentence)
        copies.assert_same_gradients(found[1], gradients, sentence)
    return PASSED


def subsets(call: Call) -> Outcome:
    """Which inputs require a gradient does not change the gradients of the others."""
    if len(call.differentiable) < 2:
        return not_applicable("one differentiable input")
    right = dict(zip(call.differentiable, call.plain[1], strict=True))
    for i in call.differentiable:
        for needs in ([i], [j for j in call.differentiable if j != i]):
            arguments, some = call.arguments(needs), ", ".join(call.names[j] for j in needs)
            others = [f"{call.names[j]}.requires_grad_(False)" for j in call.differentiable if j not in needs]
            when = f"when only {some} requires a gradient"
            with showing(others, ["torch.autograd.grad({y}, [" + some + "], {v})"]):
                outputs = call.outputs(arguments)
                call.assert_same_values(outputs, call.plain[0], f"values change {when}")
                for g, j in zip(call.gradients(arguments, outputs), needs, strict=True):
                    call.assert_same_gradients([g], [right[j]], f"the gradient changes {when}", of=[j])
    return PASSED


def repeated_arguments(call: Call) -> Outcome:
    """The same tensor as two arguments receives the sum of both gradients."""
    if not call.alike:
        return not_applicable("no two differentiable inputs of one shape and kind")
    i, j = call.alike[0]
    k, m = call.differentiable.index(i), call.differentiable.index(j)
    values = list(call.values)
    values[j] = values[i]
    if not call.gives_finite(values):
        return no_verdict("one value for both is outside the function's domain")
    _, apart = call.run(call.arguments(values=values))
    arguments = call.arguments(values=values)
    arguments[j] = arguments[i]
    sentence = f"one tensor as {call.names[i]} and {call.names[j]} does not get the sum"
    with showing([f"{call.names[j]} = {call.names[i]}"]):
        together = call.gradients(arguments, call.outputs(arguments))
        call.assert_same_gradients([together[k]], [apart[k] + apart[m]], sentence, of=[i])
    return PASSED


def batching(call: Call) -> Outcome:
    """vmap of the function and of its gradient agree with a loop, whichever argument carries the batch."""
    if not call.ordinary:
        return not_applicable("extreme or tied values")
    pair = [call.values, call.other_values or call.values]
    tensors = [i for i, x in enumerate(call.values) if isinstance(x, Tensor)]
    leading = {i: torch.stack([values[i] for values in pair]) for i in tensors}
    one = tensors[sum(x.numel() for x in leading.values()) // 2 % len(tensors)]  # another one from shape to shape
    v = call.grad_outputs(call.plain[0])

    def J(*arguments: Any) -> Tensor:
        return torch.stack([(y * w).sum() for y, w in zip(call.outputs(arguments), v, strict=True)]).sum()

    for batched, dim in [(tensors, -1), ([one], 0)]:
        arguments = [leading[i].movedim(0, dim) if i in batched else x for i, x in enumerate(call.arguments(needs=()))]
        in_dims = tuple(dim if i in batched else None for i in range(len(arguments)))
        loop = [[values[i] if i in batched else x for i, x in enumerate(call.values)] for values in pair]
        if not all(map(call.gives_finite, loop)):
            return no_verdict("mixed values are outside the function's domain")
        with torch.no_grad():
            try:
                found = torch.func.vmap(lambda *a: tuple(call.outputs(a)), in_dims)(*arguments)
            except Exception as error:
                return not_supported(vmap_reason(error))
            expected = [torch.stack(ys) for ys in zip(*(call.outputs(a) for a in loop), strict=True)]
            call.assert_same_values(found, expected, "vmap and a loop disagree")
        by = tuple(i for i in call.differentiable if i in batched)
        if not by or not any(y.requires_grad for y in call.outputs(call.arguments())):
            continue
        gradient = torch.func.grad(J, argnums=by)
        try:
            found = torch.func.vmap(gradient, in_dims)(*arguments)
        except Exception as error:
            return not_supported(vmap_reason(error))
        expected = [torch.stack(g) for g in zip(*(gradient(*a) for a in loop), strict=True)]
        call.assert_same_gradients(found, expected, "vmap of the gradient and a loop disagree", of=by)
    return PASSED


def vmap_reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
