"""grad_output, the incoming gradient: the gradient is linear in it, whatever its layout, and for several at once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..call import Call
from ..point import vjp
from ..report import PASSED, Outcome, no_verdict, not_applicable, not_supported, showing
from .inputs import LAYOUTS, vmap_reason


def incoming_gradients(call: Call) -> Outcome:
    """The gradient is linear in grad_output, negative and zero ones too, however that is laid out."""
    outputs, g_v = call.plain

    def gradients_for(v: Sequence[Tensor]) -> list[Tensor]:
        return call.run(grad_outputs=v)[1]

    if not all(g.isfinite().all() for g in g_v):
        return no_verdict("a gradient that is not finite")
    v, w = call.grad_outputs(outputs), call.grad_outputs(outputs, seed=5)
    several = len(outputs) > 1

    def twice(of_v: str) -> list[str]:
        """The backward pass for v, and for another one that is made of it."""
        other = "[" + of_v.format(x="t") + " for t in {v}]" if several else of_v.format(x="{v}")
        return [f"torch.autograd.grad({{y}}, {{leaves}}, {v}, retain_graph=True)" for v in ("{v}", other)]

    with showing(after=twice("{x}.roll(1)")):
        g_w = gradients_for(w)
        found = [2 * a - 3 * b for a, b in zip(g_v, g_w, strict=True)]
        expected = gradients_for([2 * a - 3 * b for a, b in zip(v, w, strict=True)])
        call.assert_same_gradients(found, expected, "not linear in grad_output, the incoming gradient", precision=1e-7)
    with showing(after=twice("-{x}")):
        call.assert_same_gradients(gradients_for([-a for a in v]), [-g for g in g_v], "not odd in grad_output")
    with showing(after=twice("torch.zeros_like({x})")):
        zero = gradients_for([torch.zeros_like(y) for y in outputs])
        if call.ordinary:
            zeros = [torch.zeros_like(g) for g in g_v]
            call.assert_same(zero, zeros, "a grad_output of zero gives a gradient that is not zero")
    with showing(after=twice("torch.ones((), dtype={x}.dtype).expand({x}.shape)")):
        one = [torch.ones((), dtype=y.dtype, device=y.device).expand(y.shape) for y in outputs]
        found, expected = gradients_for(one), gradients_for([a.contiguous() for a in one])
        call.assert_same_gradients(found, expected, "an expanded grad_output, that of sum(), is read wrongly")
    for name, (lay_out, code) in LAYOUTS.items():
        with showing(after=twice(code)):
            found = gradients_for([lay_out(a) for a in v])
            call.assert_same_gradients(found, g_v, f"a {name} grad_output is read wrongly")
    if len(outputs) > 1:
        for k in range(len(outputs)):
            arguments = call.arguments()
            y = call.outputs(arguments)[k]
            if y.requires_grad:
                leaves = [arguments[i] for i in call.differentiable]
                alone = vjp([y], leaves, [v[k]])
                with_zeros = gradients_for([a if i == k else torch.zeros_like(a) for i, a in enumerate(v)])
                sentence = f"output {k} alone, and with zeros for the others, disagree"
                call.assert_same_gradients(alone, with_zeros, sentence)
    return PASSED


def batched_incoming_gradients(call: Call) -> Outcome:
    """Several grad_outputs in one vmapped backward pass give what they give one by one."""
    if not call.ordinary:
        return not_applicable("extreme or tied values")
    leaves = [call.values[i] for i in call.differentiable]

    def outputs(*leaves: Tensor) -> tuple[Tensor, ...]:
        arguments = list(call.values)
        for i, leaf in zip(call.differentiable, leaves, strict=True):
            arguments[i] = leaf
        return tuple(call.outputs(arguments))

    several = [tuple(call.grad_outputs(call.plain[0], seed)) for seed in (0, 3)]
    try:
        _, pull_back, *_ = torch.func.vjp(outputs, *leaves)
        found = torch.func.vmap(pull_back)(tuple(torch.stack(v) for v in zip(*several, strict=True)))
    except Exception as error:
        return not_supported(vmap_reason(error))
    each = [call.run(grad_outputs=v)[1] for v in several]
    expected = [torch.stack(g) for g in zip(*each, strict=True)]
    call.assert_same_gradients(found, expected, "batched and single grad_outputs disagree")
    return PASSED
