"""2.1 The gradient check: every element of every gradient, and a verdict that names the worst."""

import inspect
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._checks import check_choice, check_floating
from .numerical import numerical_gradient


class GradientCheckError(AssertionError):
    """A gradient by formula that is not the gradient by differences."""


class Worst(NamedTuple):
    """The element that is furthest outside its bound."""

    argument: str
    index: tuple[int, ...]
    analytical: float
    numerical: float
    bound: float

    def __str__(self) -> str:
        at = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        return (
            f"d/d{self.argument}{at}: by formula {self.analytical:.10g}, by differences {self.numerical:.10g}"
            f" +- {self.bound:.1e}"
        )


def check_gradients(
    f: Callable[..., Tensor], inputs: Sequence[Tensor] | Tensor, *, order: int = 1, h: float = 1e-3
) -> Worst | None:
    """Compares autograd's gradient of f, at one point, with centred differences, element by element.

    f may return any shape: what is checked is the gradient of J = sum(v * f(...)) with a random v of both
    signs. The differences are taken with steps h and h/2. Richardson's (4 D(h/2) - D(h)) / 3 is exact to O(h^4),
    and how far it lies from D(h/2), with the rounding of J, bounds its error: the tolerance is that bound.
    Where J is smooth a derivative that is wrong by one part in a million is found.

    Args:
        f: a function of the inputs.
        inputs: float64 tensors; those that require a gradient are checked.
        order: 2 checks the gradients of the gradients as well.
        h: the larger step, relative to elements above 1.

    Returns:
        the worst element, or None if there is none to check.

    Raises:
        GradientCheckError: an element outside its bound, named, with both values and the bound; or a point on
            a kink, where a difference cannot judge.
        TypeError, ValueError: inputs that are not float64 tensors, none that requires a gradient; an f that
            returns no tensor, or one without a gradient.
    """
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    check_choice("order", str(order), ("1", "2"))
    names = _argument_names(f, len(inputs))
    for name, x in zip(names, inputs, strict=True):
        if isinstance(x, Tensor) and x.requires_grad:
            check_floating(name, x)
            if x.dtype != torch.float64:
                raise TypeError(f"{name} must be float64, for differences drown in rounding, got {x.dtype}")
    checked = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("inputs must hold a tensor that requires a gradient, got none")

    def J(*thetas: Tensor) -> Tensor:
        arguments = dict(enumerate(inputs)) | dict(zip(checked, thetas, strict=True))
        out = f(*arguments.values())
        if not isinstance(out, Tensor) or not out.is_floating_point():
            raise TypeError(f"f must return a floating-point tensor, got {out!r:.60}")
        if torch.is_grad_enabled() and not out.requires_grad:
            raise ValueError("f must return a tensor with a gradient, got one that does not depend on the inputs")
        return (_signs(out) * out).sum()

    worst = _check(J, [inputs[i].detach().clone() for i in checked], [names[i] for i in checked], h)
    if order == 2:

        def J_2(*thetas: Tensor) -> Tensor:
            with torch.enable_grad():
                thetas = tuple(t if t.requires_grad else t.detach().requires_grad_() for t in thetas)
                gradients = torch.autograd.grad(J(*thetas), thetas, create_graph=True, materialize_grads=True)
                return torch.stack([(_signs(g) * g).sum() for g in gradients]).sum()

        _check(J_2, [inputs[i].detach().clone() for i in checked], [f"{names[i]} (second order)" for i in checked], h)
    return worst


def _check(J: Callable[..., Tensor], thetas: list[Tensor], names: list[str], h: float) -> Worst | None:
    live = [t.requires_grad_() for t in thetas]
    value = J(*live)
    if value.requires_grad:
        gradients = torch.autograd.grad(value, live, materialize_grads=True)
    else:  # the second order of a piecewise linear f
        gradients = tuple(torch.zeros_like(t) for t in thetas)
    worst: tuple[float, Worst] | None = None
    for k, (name, theta, analytical) in enumerate(zip(names, thetas, gradients, strict=True)):
        if not theta.numel():
            continue

        def J_k(t: Tensor, k: int = k) -> Tensor:
            return J(*thetas[:k], t, *thetas[k + 1 :])

        step = h * max(1.0, float(theta.detach().abs().max()))
        coarse, fine = numerical_gradient(J_k, theta, step), numerical_gradient(J_k, theta, step / 2)
        numerical = (4 * fine - coarse) / 3
        rounding = 1e-13 * (1 + abs(value.item())) / step
        bound = (fine - coarse).abs() / 3 + rounding
        excess = (analytical - numerical).abs() / bound
        excess = excess.where(excess.isfinite(), torch.inf)
        i = int(excess.argmax())
        index = tuple(int(j) for j in torch.unravel_index(torch.tensor(i), theta.shape))
        found = Worst(name, index, *(float(t[index]) for t in (analytical, numerical, bound)))
        if worst is None or excess[index] > worst[0]:
            worst = float(excess[index]), found
        vague = bound > 1e-4 * (numerical.abs().max() + 1)
        if excess[index] <= 1 and vague.any():
            raise GradientCheckError(f"{found}: the point lies on a kink, or too close to one, to be judged")
    if worst is not None and worst[0] > 1:
        raise GradientCheckError(f"the gradient is wrong at {worst[1]}")
    return worst[1] if worst else None


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
