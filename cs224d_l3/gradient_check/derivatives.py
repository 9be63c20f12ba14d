"""What a differentiable function owes: first and second order, forward mode, batching."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .case import Case, UnsupportedError
from .point import Point, second_order, signed


def gradients(case: Case) -> None:
    """The gradient is that of differences; again for other values of the same shapes."""
    for values in (case.values, case.others()):
        point = Point(case.fn, case.arguments(values=values), case.names)
        report = point.check(max_elements=48, h=2.0**-10)
        if report.verdict == "fail":
            case.fail(f"the gradient is wrong at {report.findings[0]}")
        if values is case.values:
            case.known["judged"] = report.verdict == "ok"


def second_order_gradients(case: Case) -> None:
    """The gradient of the gradient is that of differences, by the inputs and by the incoming gradient."""
    if not case.ordinary or sum(case.values[i].numel() for i in case.differentiable) > 12:
        return
    point = Point(case.fn, case.arguments(), case.names)
    try:
        report = second_order(point).check(max_elements=48, h=2.0**-10)
    except (RuntimeError, NotImplementedError, ValueError) as error:
        if any(
            words in f"{error}{error.__cause__}"
            for words in ("once_differentiable", "derivative", "not implement", "double")
        ):
            raise UnsupportedError(str(error)) from None
        raise
    if report.verdict == "fail":
        case.fail(f"the gradient of the gradient is wrong at {report.findings[0]}")


def forward_mode(case: Case) -> None:
    """<v, J t> by forward mode is <J^T v, t> by the backward pass, for tangents of all inputs and of each alone."""
    if not case.known.get("judged"):
        return
    _, expected = case.usual
    tangents = [signed(case.values[i], 7 + i) for i in case.differentiable]
    for only in (None, *range(len(tangents))) if len(tangents) > 1 else (None,):
        with forward_ad.dual_level():
            arguments = case.arguments(needs=())
            for k, i in enumerate(case.differentiable):
                if only in (None, k):
                    arguments[i] = forward_ad.make_dual(arguments[i], tangents[k])
            try:
                outputs = case.call(arguments)
            except (RuntimeError, NotImplementedError) as error:
                raise UnsupportedError(str(error)) from None
            found = torch.zeros(())
            size = 0.0
            for k, y in enumerate(outputs):
                tangent = forward_ad.unpack_dual(y).tangent
                if tangent is not None:
                    if tangent.shape != y.shape:
                        case.fail(f"forward mode gives a tangent of shape {tuple(tangent.shape)} for {tuple(y.shape)}")
                    found = found + (signed(y, k) * tangent).sum()
                    size += float((signed(y, k) * tangent).abs().sum())
        right = sum((g * t).sum() for k, (g, t) in enumerate(zip(expected, tangents, strict=True)) if only in (None, k))
        size += sum(float((g * t).abs().sum()) for g, t in zip(expected, tangents, strict=True))
        if not abs(float(found) - float(right)) <= 1e-9 * size:
            case.fail(f"forward mode and the backward pass disagree: {float(found):.8g} against {float(right):.8g}")


def batching(case: Case) -> None:
    """vmap of the function, and of its gradient, gives what a loop gives, whichever argument carries the batch."""
    if not case.ordinary:
        return
    pair = [case.values, case.others()]
    tensors = [i for i, x in enumerate(case.values) if isinstance(x, Tensor)]
    leading = {i: torch.stack([values[i] for values in pair]) for i in tensors}
    one = tensors[sum(x.numel() for x in leading.values()) // 2 % len(tensors)]  # another one from shape to shape
    for batched, dim in [(tensors, -1), ([one], 0)]:
        arguments = list(case.values)
        for i in batched:
            arguments[i] = leading[i].movedim(0, dim)
        in_dims = tuple(dim if i in batched else None for i in range(len(arguments)))
        loop = [[values[i] if i in batched else case.values[i] for i in range(len(arguments))] for values in pair]
        with torch.no_grad():
            try:
                found = torch.func.vmap(lambda *a: tuple(case.call(a)), in_dims)(*arguments)
            except Exception as error:
                raise UnsupportedError(_vmap_reason(error)) from None
            expected = [torch.stack(ys) for ys in zip(*(case.call(a) for a in loop), strict=True)]
            case.same(found, expected, "vmap and a loop disagree")
        by = tuple(i for i in case.differentiable if i in batched)
        if not by or not any(y.requires_grad for y in case.call(case.arguments())):
            continue

        v = [signed(y, k) for k, y in enumerate(case.usual[0])]

        def J(*a: Any, v: list[Tensor] = v) -> Tensor:
            return torch.stack([(y * w).sum() for y, w in zip(case.call(a), v, strict=True)]).sum()

        try:
            found = torch.func.vmap(torch.func.grad(J, argnums=by), in_dims)(*arguments)
        except Exception as error:
            raise UnsupportedError(_vmap_reason(error)) from None
        each = [torch.func.grad(J, argnums=by)(*a) for a in loop]
        case.same(found, [torch.stack(g) for g in zip(*each, strict=True)], "vmap of the gradient and a loop disagree")


def batched_incoming_gradients(case: Case) -> None:
    """Several incoming gradients in one vmapped backward pass give what they give one by one."""
    if not case.ordinary:
        return
    leaves = [case.values[i] for i in case.differentiable]

    def outputs(*leaves: Tensor) -> tuple[Tensor, ...]:
        arguments = list(case.values)
        for i, leaf in zip(case.differentiable, leaves, strict=True):
            arguments[i] = leaf
        return tuple(case.call(arguments))

    try:
        _, backward, *_ = torch.func.vjp(outputs, *leaves)
        vs = [tuple(signed(y, k + n) for k, y in enumerate(case.usual[0])) for n in (0, 3)]
        found = torch.func.vmap(backward)(tuple(torch.stack(v) for v in zip(*vs, strict=True)))
    except Exception as error:
        raise UnsupportedError(_vmap_reason(error)) from None
    each = [case.backward(arguments := case.arguments(), case.call(arguments), v) for v in vs]
    case.same(
        found, [torch.stack(g) for g in zip(*each, strict=True)], "batched and single incoming gradients disagree"
    )


def _vmap_reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
