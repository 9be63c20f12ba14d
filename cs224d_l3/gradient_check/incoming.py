"""What a differentiable function owes whatever comes in: layouts, incoming gradients, subsets, repeated arguments."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .case import Case
from .point import signed

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": lambda x: x.mT.contiguous().mT if x.ndim > 1 else x,
    "strided": lambda x: torch.stack([x, x + 1], dim=-1)[..., 0],
    "reversed": lambda x: x.permute(_backwards(x)).contiguous().permute(_backwards(x)),
    "offset": lambda x: torch.cat([x.new_zeros(1), x.reshape(-1)])[1:].view(x.shape),
    "channels last": lambda x: x.to(memory_format=torch.channels_last) if x.ndim == 4 else x,
}


def _backwards(x: Tensor) -> tuple[int, ...]:
    return tuple(reversed(range(x.ndim)))


def input_layouts(case: Case) -> None:
    """Strides do not matter: transposed, strided, offset and expanded inputs give the same values and gradients."""
    for name, lay_out in LAYOUTS.items():
        arguments = [lay_out(x) if isinstance(x, Tensor) else x for x in case.arguments(needs=())]
        arguments = [x.requires_grad_() if i in case.differentiable else x for i, x in enumerate(arguments)]
        outputs = case.call(arguments)
        case.same(outputs, case.usual[0], f"values change with {name} inputs")
        case.same(case.backward(arguments, outputs), case.usual[1], f"gradients change with {name} inputs")
    flat = [x[:1].expand_as(x) if isinstance(x, Tensor) and x.ndim and len(x) else x for x in case.values]
    expanded = [x.detach().requires_grad_() if i in case.differentiable else x for i, x in enumerate(flat)]
    copies = [x.contiguous() if isinstance(x, Tensor) else x for x in flat]
    for found, expected in zip(case.outcome(expanded), case.outcome(case.arguments(values=copies)), strict=True):
        case.same(found, expected, "expanded inputs and their copies give different results")


def incoming_gradients(case: Case) -> None:
    """The gradient is linear in what comes in, however that is laid out: expanded, strided, negative, zero."""
    arguments = case.arguments()
    outputs = case.call(arguments)

    def gradients_for(v: Sequence[Tensor]) -> list[Tensor]:
        return case.backward(arguments, outputs, v, retain_graph=True)

    v, w = ([signed(y, k + n) for k, y in enumerate(outputs)] for n in (0, 5))
    g_v, g_w = gradients_for(v), gradients_for(w)
    if not all(g.isfinite().all() for g in g_v):
        return
    sum_ = gradients_for([2 * a - 3 * b for a, b in zip(v, w, strict=True)])
    case.same(
        [2 * a - 3 * b for a, b in zip(g_v, g_w, strict=True)],
        sum_,
        "not linear in the incoming gradient",
        precision=1e-7,
    )
    case.same(gradients_for([-a for a in v]), [-g for g in g_v], "not odd in the incoming gradient")
    zero = gradients_for([torch.zeros_like(y) for y in outputs])
    if case.ordinary:
        case.same(
            zero, [torch.zeros_like(g) for g in g_v], "an incoming gradient of zero gives something else than zero"
        )
    one = [torch.ones((), dtype=y.dtype).expand(y.shape) for y in outputs]
    case.same(
        gradients_for(one),
        gradients_for([a.contiguous() for a in one]),
        "an expanded incoming gradient, that of sum(), is read wrongly",
    )
    for name, lay_out in LAYOUTS.items():
        case.same(gradients_for([lay_out(a) for a in v]), g_v, f"a {name} incoming gradient is read wrongly")
    if len(outputs) > 1:
        for k, y in enumerate(outputs):
            if y.requires_grad:
                alone = torch.autograd.grad(
                    y,
                    [x for x in arguments if isinstance(x, Tensor) and x.requires_grad],
                    v[k],
                    retain_graph=True,
                    materialize_grads=True,
                )
                others = [a if i == k else torch.zeros_like(a) for i, a in enumerate(v)]
                case.same(alone, gradients_for(others), f"output {k} alone, and with zeros for the others, disagree")


def subsets(case: Case) -> None:
    """Which inputs require a gradient does not change the gradients of the others."""
    if len(case.differentiable) < 2:
        return
    for i in case.differentiable:
        rest = [j for j in case.differentiable if j != i]
        for needs in ([i], rest):
            arguments = case.arguments(needs)
            outputs = case.call(arguments)
            when = f"when only {', '.join(case.names[j] for j in needs)} requires a gradient"
            case.same(outputs, case.usual[0], f"values change {when}")
            right = dict(zip(case.differentiable, case.usual[1], strict=True))
            for g, j in zip(case.backward(arguments, outputs), needs, strict=True):
                case.same([g], [right[j]], f"the gradient of {case.names[j]} changes {when}")


def repeated_arguments(case: Case) -> None:
    """The same tensor as two arguments receives the sum of both gradients."""
    for n, i in enumerate(case.differentiable):
        for j in case.differentiable[n + 1 :]:
            if case.values[i].shape == case.values[j].shape:
                apart = list(case.values)
                apart[j] = apart[i]
                _, g = case.outcome(case.arguments(values=apart))
                together = case.arguments(values=apart)
                together[j] = together[i]
                found = case.backward(together, case.call(together))
                k, m = case.differentiable.index(i), case.differentiable.index(j)
                case.same(
                    found[k : k + 1],
                    [g[k] + g[m]],
                    f"one tensor as {case.names[i]} and {case.names[j]} does not get the sum",
                )
                return
