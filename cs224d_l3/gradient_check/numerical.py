"""2.1 The derivative by differences, with a bound of its error."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._checks import check_floating, check_number

EPS = torch.finfo(torch.float64).eps


def numerical_gradient(J: Callable[[Tensor], Tensor], theta: Tensor, h: float = 1e-5) -> Tensor:
    """The centred difference of snippet 2.1, for every element of theta:

        dJ/dtheta_i = (J(theta + h e_i) - J(theta - h e_i)) / (2 h),    exact to O(h^2).

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
    """max |a - b| / max(|a|, |b|) over all elements, against the largest of them; 0 for two zeros.

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
    """Differences and a bound of their error; the bound is inf where there is a kink, a jump, or no finite value."""

    value: Tensor
    bound: Tensor


def numerical_jacobian(f: Callable[..., Tensor], inputs: Sequence[Tensor], h: float = 2.0**-10) -> list[Derivative]:
    """The Jacobian of f by differences, for each input, with a bound for every entry.

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
    around = Surroundings(lambda *args: f(*args).reshape(-1), inputs)
    shape = f(*(x.detach() for x in inputs)).shape
    found = derivative(around, torch.eye(around.size, dtype=torch.float64), h)
    columns = [part.unflatten(0, x.shape) if x.ndim else part[0] for x, part in around.split_rows(found.value, inputs)]
    bounds = [part.unflatten(0, x.shape) if x.ndim else part[0] for x, part in around.split_rows(found.bound, inputs)]

    def output_first(t: Tensor, x: Tensor) -> Tensor:
        return t.movedim(-1, 0).reshape(shape + x.shape)

    return [
        Derivative(output_first(value, x), output_first(bound, x))
        for x, value, bound in zip(inputs, columns, bounds, strict=True)
    ]


class Surroundings:
    """f at points near its inputs: all inputs laid out in one row, all outputs in another.

    Args:
        f: from the inputs to one row of numbers.
        inputs: where.
    """

    AT_ONCE = 2**21  # numbers in a batch of points

    def __init__(self, f: Callable[..., Tensor], inputs: Sequence[Tensor]) -> None:
        self.f, self.shapes = f, [x.shape for x in inputs]
        self.strides = [None if x.is_contiguous() else x.stride() for x in inputs]
        self.counts = [x.numel() for x in inputs]
        self.point = torch.cat([torch.empty(0, dtype=torch.float64), *(x.detach().reshape(-1) for x in inputs)])
        self.size = len(self.point)
        self.batched: bool | None = None
        self.value = self(self.point[None])[0]

    def __call__(self, points: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        with torch.no_grad():
            if len(points) < 16 or self.batched is False:
                return torch.stack([self._at(point) for point in points])
            if self.batched is None:
                self.batched = self._is_batchable(points[:2])
                return self(points)
            some = max(1, self.AT_ONCE // max(self.size, len(self.value), 1))
            return torch.cat([torch.func.vmap(self._at)(part) for part in points.split(some)])

    def _at(self, point: Tensor) -> Tensor:
        parts = [part.reshape(shape) for part, shape in zip(point.split(self.counts), self.shapes, strict=True)]
        for i, stride in enumerate(self.strides):  # f may look at how its input lies in memory
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

    def split_rows(self, t: Tensor, inputs: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        return list(zip(inputs, t.split(self.counts), strict=True))

    def noise(self) -> Tensor:
        """How far the outputs are rounded, one number each, from seven points closer than f can resolve.

        The differences of order k of a smooth f vanish there; what is left is rounding, amplified by a known factor
        (Hamming; Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 2011).
        """
        if self.size == 0:
            return 2 * EPS * self.value.abs()
        # f may round on the scale of its inputs and show nothing of it, where it is flat
        least = EPS * (2 * self.value.abs() + self.point.abs().amax().clamp(min=1.0))
        generator = torch.Generator().manual_seed(self.size)
        direction = torch.rand(self.size, generator=generator, dtype=torch.float64) - 0.5
        step = 2.0**-36 * self.point.abs().clamp(min=1.0)
        table = self(self.point + torch.arange(7.0, dtype=torch.float64)[:, None] * step * direction)
        factor, levels = 1.0, [least]
        for k in range(1, 6):
            table = table.diff(dim=0)
            factor *= k / (4 * k - 2)  # (k!)^2 / (2k)!
            if k >= 2:
                levels.append((factor * table.square().mean(0)).sqrt())
        return torch.stack(levels).nan_to_num(torch.inf).amax(0)


def derivative(around: Surroundings, directions: Tensor, h: float = 2.0**-10) -> Derivative:
    """The derivatives of all outputs along some directions, (D, inputs), as value and bound (D, outputs).

    D(h) is the centred difference. Richardson's (4 D(h/2) - D(h)) / 3 is exact to O(h^4), and how far it lies from
    D(h/2), with the rounding of f over h, bounds its error. Where f is smooth within h, D(h) comes four times as
    close with every halving of h, and the slopes to the left and to the right twice as close. Where they do not,
    there is a kink or a jump, or h is too large: smaller steps follow, and the smallest bound wins.
    """
    some = max(1, around.AT_ONCE // max(6 * around.size, 6 * len(around.value), 1))
    noise = around.noise()
    parts = [_derivative(around, part, h, noise) for part in directions.split(some)]
    return Derivative(torch.cat([p.value for p in parts]), torch.cat([p.bound for p in parts]))


def _derivative(around: Surroundings, directions: Tensor, h: float, noise: Tensor) -> Derivative:
    count, y = len(directions), around.value
    value = torch.full((count, len(y)), torch.nan, dtype=torch.float64)
    bound = torch.full((count, len(y)), torch.inf, dtype=torch.float64)
    if not count or not len(y):
        return Derivative(value, bound)
    # a power of two, so that x + h is exact where it can be; along many elements at once f bends more
    reach = (directions.abs() * around.point.abs()).amax(1).clamp(min=1.0)
    step = h * 2.0 ** (reach.log2().ceil() - (directions.square().sum(1).log2() / 2).round())
    open_ = torch.arange(count)
    for _ in range(6):
        offsets = torch.tensor([1, -1, 0.5, -0.5, 0.25, -0.25], dtype=torch.float64)
        h_d = step[open_][:, None]
        points = around.point + (offsets * h_d)[..., None] * directions[open_][:, None, :]
        f = around(points.reshape(-1, around.size)).unflatten(0, (len(open_), 6))
        centred = torch.stack([(f[:, 2 * k] - f[:, 2 * k + 1]) / (2 * h_d / 2**k) for k in range(3)])
        apart = torch.stack([(f[:, 2 * k] - 2 * y + f[:, 2 * k + 1]).abs() / (h_d / 2**k) for k in range(3)])
        rounding = 32 * noise / h_d + 2 * EPS * reach[open_][:, None] * centred[2].abs() / h_d
        first, second = (centred[1] - centred[0]).abs(), (centred[2] - centred[1]).abs()
        smooth = (second <= 0.4 * first + rounding) & (apart[2] <= 0.6 * apart[1] + rounding)
        limit = torch.where(smooth, second / 3 + rounding, torch.inf)
        better = limit < bound[open_]
        value[open_] = torch.where(better, (4 * centred[2] - centred[1]) / 3, value[open_])
        bound[open_] = torch.where(better, limit, bound[open_])
        enough = smooth & ((second <= rounding) | (limit <= 1e-7 * centred[2].abs()))
        open_ = open_[~enough.all(1)]
        if not len(open_):
            break
        step = step / 8
    return Derivative(value, bound)
