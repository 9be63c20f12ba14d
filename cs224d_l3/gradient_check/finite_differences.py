"""2.1 Finite differences: the notes' centred difference, and derivatives with a bound of their error."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._checks import check_floating, check_number
from .error_bounds import (
    EPS,
    first_step,
    function_noise,
    one_sided_slopes,
    richardson_bound,
    rounding_of_differences,
)


def numerical_gradient(J: Callable[[Tensor], Tensor], theta: Tensor, h: float = 1e-5) -> Tensor:
    r"""The centred difference of snippet 2.1, for every element of theta:

    $$\frac{\partial J}{\partial \theta_i} = \frac{J(\theta + h e_i) - J(\theta - h e_i)}{2 h} + O(h^2)$$

    Args:
        J: a function of one tensor, whose value is one number.
        theta: where, any shape, float64; it is not written to.
        h: the step, above 0.

    Returns:
        the gradient, of theta's shape.

    Raises:
        TypeError: theta is not float64: the difference of two float32 values this close is rounding.
        ValueError: J gives more than one number, or h is not a finite number above 0.
    """
    check_number("h", h, above=0)
    check_floating("theta", theta)
    if theta.dtype != torch.float64:
        raise TypeError(f"theta must be float64, for a difference this small drowns in rounding, got {theta.dtype}")
    theta = theta.detach().clone(memory_format=torch.contiguous_format)
    elements, gradient = theta.view(-1), torch.empty_like(theta)
    with torch.no_grad():
        for i, old in enumerate(elements.tolist()):
            elements[i] = old + h
            J_plus = _one_number(J(theta))
            elements[i] = old - h
            J_minus = _one_number(J(theta))
            elements[i] = old  # restore to previous value (very important!)
            gradient.view(-1)[i] = (J_plus - J_minus) / (2 * h)
    return gradient


def _one_number(J: Tensor) -> float:
    if not isinstance(J, Tensor) or J.numel() != 1:
        given = tuple(J.shape) if isinstance(J, Tensor) else type(J).__name__
        raise ValueError(f"J must give a tensor of one number, got {given}")
    return J.item()


def relative_error(a: Tensor, b: Tensor) -> float:
    r"""$\max |a - b| / \max(|a|, |b|)$ over all elements, against the largest of them; 0 for two zeros.

    Measured against the largest element, not each against itself: a difference can tell nothing of an
    element that is tiny beside the others.
    """
    if a.shape != b.shape:
        raise ValueError(f"b must have the shape of a, {tuple(a.shape)}, got {tuple(b.shape)}")
    if a.numel() == 0:
        return 0.0
    a, b = a.detach(), b.detach()
    difference, size = (a - b).abs().max(), torch.maximum(a.abs().max(), b.abs().max())
    return 0.0 if size == 0 else float(difference / size)


class Derivative(NamedTuple):
    """Finite differences and a bound of their error: inf at a kink, at a jump, and where there is no finite value.

    At a kink ``low`` and ``high`` bound the slopes of its two sides; elsewhere, where one of them has no limit, they
    are infinite.
    """

    value: Tensor
    bound: Tensor
    low: Tensor
    high: Tensor


def numerical_jacobian(f: Callable[..., Tensor], inputs: Sequence[Tensor], h: float = 2.0**-10) -> list[Derivative]:
    """The Jacobian of f by finite differences, for each input, with a bound for every entry.

    See :func:`derivative` for the method. The evaluations are batched by ``torch.func.vmap`` where f allows it and
    gives the same values, otherwise they are made one by one; memory stays bounded either way.

    Args:
        f: a function of the inputs.
        inputs: float64 tensors.
        h: the largest step, relative to elements above 1.

    Returns:
        for each input value and bound, of shape ``f(*inputs).shape + input.shape``.

    Raises:
        TypeError: an input is not float64.
    """
    check_number("h", h, above=0)
    for i, x in enumerate(inputs):
        check_floating(f"inputs[{i}]", x)
        if x.dtype != torch.float64:
            raise TypeError(f"inputs[{i}] must be float64, for differences drown in rounding, got {x.dtype}")
    flat = FlatFunction(lambda *args: f(*args).reshape(-1), inputs)
    shape = f(*(x.detach() for x in inputs)).shape
    found = derivative(flat, torch.eye(flat.size, dtype=torch.float64), h)

    def by_input(rows: Tensor) -> list[Tensor]:
        return [part.T.reshape(shape + x.shape) for x, part in zip(inputs, rows.split(flat.counts), strict=True)]

    return [Derivative(*parts) for parts in zip(*map(by_input, found), strict=True)]


class FlatFunction:
    """f as a function of one row of numbers, all inputs end to end, with one row of numbers as its value.

    Args:
        f: from the inputs to one row of numbers.
        inputs: the point that derivatives are taken at.
    """

    BATCH_ELEMENTS = 2**21  # numbers in a batch of points

    def __init__(self, f: Callable[..., Tensor], inputs: Sequence[Tensor]) -> None:
        self.f, self.shapes = f, [x.shape for x in inputs]
        self.strides = [None if x.is_contiguous() else x.stride() for x in inputs]
        self.counts = [x.numel() for x in inputs]
        self.point = torch.cat([torch.empty(0, dtype=torch.float64), *(x.detach().reshape(-1) for x in inputs)])
        self.size = len(self.point)
        self.batched: bool | None = None
        self.value: Tensor = None  # type: ignore[assignment]
        self.value = self(self.point[None])[0]

    def __call__(self, points: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        with torch.no_grad():
            if len(points) < 16 or self.batched is False:
                return torch.stack([self._or_nan(point) for point in points])
            if self.batched is None:
                self.batched = self._is_batchable(points[:2])
                return self(points)
            most = max(1, self.BATCH_ELEMENTS // max(self.size, len(self.value), 1))
            try:
                return torch.cat([torch.func.vmap(self._at)(part) for part in points.split(most)])
            except Exception:  # f refuses one of them
                return torch.stack([self._or_nan(point) for point in points])

    def _or_nan(self, point: Tensor) -> Tensor:
        """NaN where f refuses a point beside the one that it took."""
        try:
            return self._at(point)
        except Exception:
            if self.value is None:
                raise
            return torch.full_like(self.value, torch.nan)

    def _at(self, point: Tensor) -> Tensor:
        parts = [part.reshape(shape) for part, shape in zip(point.split(self.counts), self.shapes, strict=True)]
        for i, stride in enumerate(self.strides):  # f may depend on the strides of its inputs
            if stride is not None:
                parts[i] = torch.empty_strided(self.shapes[i], stride, dtype=point.dtype).copy_(parts[i])
        return self.f(*parts).double()

    def _is_batchable(self, points: Tensor) -> bool:
        """A batching rule may be missing, and it may be wrong."""
        try:
            batch = torch.func.vmap(self._at)(points)
        except Exception:  # whatever f raises under vmap, it can do without
            return False
        return torch.allclose(batch, torch.stack([self._at(p) for p in points]), rtol=1e-12, atol=0, equal_nan=True)


def derivative(flat: FlatFunction, directions: Tensor, h: float | Tensor = 2.0**-10, eps: float = EPS) -> Derivative:
    """The derivatives of all outputs along some directions, (D, inputs), as value and bound (D, outputs).

    D(h) is the centred difference. Richardson's (4 D(h/2) - D(h)) / 3 is exact to O(h^4), and
    :func:`~cs224d_l3.gradient_check.error_bounds.richardson_bound` bounds its error where f is smooth within h.
    Where it is not, there is a kink or a jump, or h is too large: smaller steps follow, and the smallest bound wins.
    h may be one step for each direction.
    """
    most = max(1, flat.BATCH_ELEMENTS // max(6 * flat.size, 6 * len(flat.value), 1))
    noise = function_noise(flat, flat.point, flat.value, eps)
    h = torch.as_tensor(h, dtype=torch.float64).expand(len(directions)).clamp(min=first_step(eps))
    pairs = zip(directions.split(most), h.split(most), strict=True)
    parts = [_derivative(flat, part, steps, noise, eps) for part, steps in pairs]
    return Derivative(*map(torch.cat, zip(*parts, strict=True)))


def _derivative(flat: FlatFunction, directions: Tensor, h: Tensor, noise: Tensor, eps: float) -> Derivative:
    count, y = len(directions), flat.value
    value = torch.full((count, len(y)), torch.nan, dtype=torch.float64)
    bound, low, high = (torch.full_like(value, number) for number in (torch.inf, -torch.inf, torch.inf))
    if not count or not len(y):
        return Derivative(value, bound, low, high)
    # a power of two, so that x + h is exact where it can be; along many elements at once f bends more
    reach = (directions.abs() * flat.point.abs()).amax(1).clamp(min=1.0)
    step = h * 2.0 ** (reach.log2().ceil() - (directions.square().sum(1).log2() / 2).round())
    offsets = torch.tensor([1, -1, 0.5, -0.5, 0.25, -0.25], dtype=torch.float64)
    pending = torch.arange(count)
    for _ in range(6):
        h_d = step[pending][:, None]
        points = flat.point + (offsets * h_d)[..., None] * directions[pending][:, None, :]
        f = flat(points.reshape(-1, flat.size)).unflatten(0, (len(pending), 6))
        pairs = [(f[:, 2 * k], f[:, 2 * k + 1], h_d / 2**k) for k in range(3)]  # f(x + h), f(x - h) at h, h/2, h/4
        D = torch.stack([(f_plus - f_minus) / (2 * h_k) for f_plus, f_minus, h_k in pairs])
        right = torch.stack([(f_plus - y) / h_k for f_plus, _, h_k in pairs])
        left = torch.stack([(y - f_minus) / h_k for _, f_minus, h_k in pairs])
        rounding = rounding_of_differences(noise, reach[pending][:, None], D[2], h_d, eps)
        limit, converged = richardson_bound(D, (right - left).abs(), rounding)
        better = limit < bound[pending]
        value[pending] = torch.where(better, (4 * D[2] - D[1]) / 3, value[pending])
        bound[pending] = torch.where(better, limit, bound[pending])
        lowest, highest = one_sided_slopes(right, left, rounding)
        nearer = highest - lowest < high[pending] - low[pending]
        low[pending] = torch.where(nearer, lowest, low[pending])
        high[pending] = torch.where(nearer, highest, high[pending])
        pending = pending[~converged.all(1)]
        if not len(pending):
            break
        step = step / 8
    return Derivative(value, bound, low, high)
