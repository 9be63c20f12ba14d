"""2.1 The gradient check: every element of every gradient, and a verdict that names the worst."""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._checks import check_choice, check_floating, check_number


class GradientCheckError(AssertionError):
    """A gradient by formula that is not the gradient by differences."""


class Worst(NamedTuple):
    """The element that is furthest outside its bound."""

    argument: str
    at: tuple[int, ...]
    analytical: float
    numerical: float
    bound: float

    def __str__(self) -> str:
        at = f"[{', '.join(map(str, self.at))}]" if self.at else ""
        return (
            f"d/d{self.argument}{at}: by formula {self.analytical:.10g}, by differences {self.numerical:.10g}"
            f" +- {self.bound:.1e}"
        )


def check_gradients(
    f: Callable[..., Tensor], inputs: Sequence[Tensor] | Tensor, *, order: int = 1, h: float = 1e-3
) -> Worst | None:
    """Compares autograd's gradient of f, at one point, with centred differences, element by element.

    f may return any shape: what is checked is the gradient of J = sum(v o f(...)) with a fixed v of both signs.
    D(h) is the centred difference of :func:`numerical_gradient`. Richardson's (4 D(h/2) - D(h)) / 3 is exact to
    O(h^4), and how far it lies from D(h/2), with the rounding of J, bounds its error. That bound is the
    tolerance: where J is smooth, a derivative that is wrong by one part in a million is found.

    Args:
        f: a function of the inputs.
        inputs: its arguments in order, or its one argument; those that require a gradient are checked.
        order: 2 checks the gradients of the gradients as well.
        h: the largest step; smaller ones follow where J has a kink within it.

    Returns:
        the element that came closest to its bound, or None if there is none to check.

    Raises:
        GradientCheckError: an element outside its bound, named with both values and the bound; or an element
            on a kink, which no difference can judge.
        TypeError: an input that requires a gradient is not float64, or f returns no floating-point tensor.
        ValueError: no input requires a gradient, or f does not depend on one.
    """
    check_choice("order", str(order), ("1", "2"))
    check_number("h", h, above=0)
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    names = _argument_names(f, len(inputs))
    checked = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("inputs must hold a tensor that requires a gradient, got none")
    for i in checked:
        check_floating(names[i], inputs[i])
        if inputs[i].dtype != torch.float64:
            raise TypeError(f"{names[i]} must be float64, for differences drown in rounding, got {inputs[i].dtype}")

    def J_1(*thetas: Tensor) -> Tensor:
        arguments = dict(enumerate(inputs)) | dict(zip(checked, thetas, strict=True))
        out = f(*arguments.values())
        if not isinstance(out, Tensor) or not out.is_floating_point():
            raise TypeError(f"f must return a floating-point tensor, got {out!r:.60}")
        if torch.is_grad_enabled() and not out.requires_grad:
            raise ValueError("f must return a tensor with a gradient, got one that does not depend on the inputs")
        return _signs(out) * out

    def J_2(*thetas: Tensor) -> Tensor:
        with torch.enable_grad():
            live = [t if t.requires_grad else t.detach().requires_grad_() for t in thetas]
            gradients = torch.autograd.grad(J_1(*live).sum(), live, create_graph=True, materialize_grads=True)
            return torch.cat([(_signs(g) * g).reshape(-1) for g in gradients])

    thetas = [inputs[i].detach().clone(memory_format=torch.contiguous_format).requires_grad_() for i in checked]
    worst = _check(J_1, thetas, [names[i] for i in checked], h)
    if order == 2:
        _check(J_2, thetas, [f"{names[i]} (second order)" for i in checked], h)
    return worst


def _check(terms: Callable[..., Tensor], thetas: list[Tensor], names: list[str], h: float) -> Worst | None:
    """Of J, the sum of the terms; how large they are says how far J is rounded."""
    value = terms(*thetas)
    rounding = 64 * torch.finfo(torch.float64).eps * float(value.detach().abs().sum())
    if value.requires_grad:
        gradients = torch.autograd.grad(value.sum(), thetas, materialize_grads=True)
    else:  # the second order of a piecewise linear f
        gradients = tuple(torch.zeros_like(t) for t in thetas)
    worst, furthest = None, -1.0
    for k, (name, theta, gradient) in enumerate(zip(names, thetas, gradients, strict=True)):
        point = theta.detach().clone()
        elements = point.view(-1)

        def J_along(
            i: int, old: float, step: float, k: int = k, point: Tensor = point, elements: Tensor = elements
        ) -> float:
            elements[i] = old + step
            with torch.no_grad():
                J_step = terms(*thetas[:k], point, *thetas[k + 1 :]).sum().item()
            elements[i] = old
            return J_step

        for i, (old, analytical) in enumerate(zip(elements.tolist(), gradient.reshape(-1).tolist(), strict=True)):
            index = tuple(int(j) for j in torch.unravel_index(torch.tensor(i), theta.shape))
            judged = _derivative(lambda step, i=i, old=old: J_along(i, old, step), h * max(1.0, abs(old)), rounding)  # type: ignore[misc]
            if judged is None:
                at = Worst(name, index, analytical, math.nan, math.inf)
                raise GradientCheckError(f"{at}: the point lies on a kink, where differences cannot judge")
            found = Worst(name, index, analytical, *judged)
            distance = abs(analytical - found.numerical) / found.bound
            if not distance <= furthest:
                worst, furthest = found, distance
    if worst is not None and not furthest <= 1:
        raise GradientCheckError(f"the gradient is wrong at {worst}")
    return worst


def _derivative(J: Callable[[float], float], h: float, rounding: float) -> tuple[float, float] | None:
    """J'(0) and the bound of its error, from values of J that are exact up to rounding; None at a kink.

    Where J is smooth between -h and h, D(h) converges four times as close with every halving of h, and the slopes
    to the left and to the right come twice as close. Where they do not, or not close enough, smaller steps follow;
    the smallest bound wins.
    """
    J_0, best = J(0.0), None
    for step in (h, h / 8, h / 64, h / 512):
        centred, apart = [], []
        for halving in (step, step / 2, step / 4):
            J_plus, J_minus = J(halving), J(-halving)
            centred.append((J_plus - J_minus) / (2 * halving))
            apart.append(abs(J_plus - 2 * J_0 + J_minus) / halving)
        noise = max(rounding, 1e-300) / step
        first, second = abs(centred[1] - centred[0]), abs(centred[2] - centred[1])
        if second <= 0.4 * first + noise and apart[2] <= 0.6 * apart[1] + noise:
            bound = second / 3 + noise
            if best is None or bound < best[1]:
                best = (4 * centred[2] - centred[1]) / 3, bound
            if bound <= 1e-6 * abs(centred[2]):
                break
    return best


def _signs(out: Tensor) -> Tensor:
    """v: numbers of both signs, no two alike, the same for the same shape."""
    generator = torch.Generator().manual_seed(out.numel())
    v = torch.rand(out.shape, generator=generator, dtype=torch.float64) + 0.5
    return (v * (torch.randint(0, 2, out.shape, generator=generator) * 2 - 1)).to(out)


def _argument_names(f: Callable[..., Tensor], count: int) -> list[str]:
    try:
        names = [p.name for p in inspect.signature(f).parameters.values() if p.kind != p.VAR_POSITIONAL]
    except (TypeError, ValueError):
        names = []
    return [names[i] if i < len(names) else f"input {i}" for i in range(count)]
