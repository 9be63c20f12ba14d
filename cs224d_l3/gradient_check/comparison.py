"""Gradients beside finite differences, with the bound of their difference."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .error_bounds import EPS, gradient_rounding, overflows
from .finite_differences import FlatFunction, derivative
from .point import Point, same_layout
from .report import Finding

HALF = 1e-4  # float16's eps is above it, float32's below


class Compared(NamedTuple):
    """Derivatives of v o f along directions, (grad_outputs v, directions), and the bound of their difference.

    At a kink the bound is infinite, and the derivative lies between ``low`` and ``high``, the slopes of both sides.
    """

    analytical: Tensor
    numerical: Tensor
    bound: Tensor
    low: Tensor
    high: Tensor

    def columns(self, part: range) -> "Compared":
        return Compared(*(t[:, part.start : part.stop] for t in self))

    def agrees(self) -> Tensor:
        """Within the bound; NaN is not."""
        return (self.analytical - self.numerical).abs() <= self.bound

    def between_sides(self) -> Tensor:
        """Between the slopes of both sides, where they have one."""
        return (self.analytical >= self.low) & (self.analytical <= self.high)

    def outside(self) -> Tensor:
        """The directions that disagree for some grad_output."""
        return (~self.agrees() | (self.bound.isinf() & ~self.between_sides())).any(0)

    def excess(self) -> Tensor:
        """The difference in units of the bound."""
        return ((self.analytical - self.numerical).abs() / self.bound).nan_to_num(torch.inf)

    def finding(
        self, row: int, column: int, name: str, index: tuple[int, ...] | None, hint: str = "", sign: float = 1.0
    ) -> Finding:
        a, n, bound = (float(t[row, column]) for t in self[:3])
        return Finding(name, index, a * sign, n * sign, bound, hint, row)


class Comparison:
    """The gradients of a point for some grad_outputs, and the function to take differences of.

    Attributes:
        flat: the function in float64.
        v: grad_outputs, a row each.
        g: the gradients by the backward pass, a row each.
        eps: of the coarsest dtype that f works in, and
        noise: how far the gradients move where the inputs move by a few roundings, a row each: both are looked for
            where something disagrees.
    """

    def __init__(
        self, point: Point, grad_outputs: Sequence[Sequence[Tensor]], h: float, tolerance: float = 0.0
    ) -> None:
        self.point, self.grad_outputs, self.h, self.tolerance = point, grad_outputs, h, tolerance
        with torch.no_grad():
            self.flat = FlatFunction(point.flat, [leaf.detach().double() for leaf in point.leaves])
        self.v = torch.stack([torch.cat([y.detach().reshape(-1).double() for y in v]) for v in grad_outputs])
        self.g = self._gradients(point.leaves)
        self.eps, self.noise = point.own_eps, torch.zeros_like(self.g)
        self.is_measured = False

    def _gradients(self, leaves: Sequence[Tensor]) -> Tensor:
        """By the backward pass, at these inputs, a row for each grad_output."""
        return torch.stack([_row(self.point.gradients(v, leaves)) for v in self.grad_outputs])

    def _measure(self) -> None:
        self.is_measured, self.eps = True, self.point.eps
        moved = [self._gradients(nudged(self.point.leaves, seed)) for seed in range(2)]
        far = torch.stack([(g - self.g).abs().where(g.isfinite(), torch.inf) for g in moved]).amax(0)
        self.noise = far.where(self.g.isfinite(), 0.0)

    def along(self, directions: Tensor) -> Compared:
        """Along each direction. Where f has steps as fine as h the difference errs: what disagrees is taken again
        with a smaller step."""
        compared = self._along(directions, self.h)
        outside = compared.outside()
        if outside.any() and not self.is_measured:
            self._measure()
            compared = self._along(directions, self.h)
            outside = compared.outside()
        if outside.any():
            h = self._nearer(directions[outside])
            near, check = (self._along(directions[outside], step) for step in (h, 0.37 * h))
            far = Compared(*(t[:, outside] for t in compared))
            moved = (near.numerical - far.numerical).abs() > 0.5 * (far.analytical - far.numerical).abs()
            misled = moved | near.bound.isinf() | far.bound.isinf()
            for t, t_far, t_near in zip(compared[1:], far[1:], near[1:], strict=True):
                t[:, outside] = torch.where(misled, t_near, t_far)
            # where f jumps at every step, differences may agree by chance
            by_chance = ~((near.numerical - check.numerical).abs() <= near.bound + check.bound)
            compared.bound[:, outside] = compared.bound[:, outside].where(~by_chance, torch.inf)
            apart = ~((near.low <= check.high) & (check.low <= near.high))
            compared.low[:, outside] = compared.low[:, outside].where(~apart, -torch.inf)
        return compared

    def agrees_along_signs(self) -> bool:
        """Whether all gradients at once are right along two random directions of ones and minus ones."""
        generator = torch.Generator().manual_seed(self.flat.size)
        signs = torch.randint(0, 2, (2, self.flat.size), generator=generator).double() * 2 - 1
        compared = self.along(signs)
        return bool((compared.bound.isfinite() & compared.agrees()).all())

    def _nearer(self, directions: Tensor) -> Tensor:
        """A smaller step for each direction, below the smallest of the inputs that it moves."""
        x = torch.where((directions != 0) & (self.flat.point != 0), self.flat.point.abs(), torch.inf)
        return (x.amin(1) / 8).log2().floor().exp2().clamp(2.0**-45, self.h / 2**6)

    def _along(self, directions: Tensor, h: float | Tensor) -> Compared:
        v, g = self.v, self.g
        if not v.numel() or not len(directions):
            return Compared(*(torch.zeros(len(v), len(directions), dtype=torch.float64) for _ in range(5)))
        found = derivative(self.flat, directions, h, self.eps)
        value = found.value.nan_to_num()

        def summed(v: Tensor, terms: Tensor) -> Tensor:  # an output that v leaves out may lie on a kink
            return torch.stack([(row[used] * terms[:, used]).sum(1) for row, used in zip(v, v != 0, strict=True)])

        numerical = summed(v, value)
        dtypes = [leaf.dtype for leaf in self.point.leaves]
        eps = max(self.eps, *(torch.finfo(dtype).eps for dtype in dtypes))
        terms = summed(v.abs(), value.abs())
        rounding = gradient_rounding(eps, dtypes, self.flat.point, self.flat.value, v, g, directions, terms)
        if eps < HALF:  # the bound of half precision is wide enough
            rounding = rounding + 16 * self.noise @ directions.abs().T
        if self.tolerance:
            largest = g.nan_to_num(0.0, 0.0, 0.0).abs().amax(1, keepdim=True)
            rounding = rounding + self.tolerance * largest * directions.abs().sum(1)
        bound = summed(v.abs(), found.bound)
        if self.eps <= EPS:  # a difference that is as uncertain as it is large says nothing
            vague = (bound > 0.25 * numerical.abs()) & (bound > 1e-3 * v.abs().amax(1, keepdim=True))
            bound = bound.where(~vague, torch.inf)
        bound = bound + rounding
        bound[:, overflows(numerical, dtypes).any(0)] = torch.inf
        middle, half = (found.high + found.low) / 2, (found.high - found.low) / 2
        between, half = summed(v, middle.nan_to_num()), summed(v.abs(), half) + rounding
        finite = g.isfinite()
        analytical = g.where(finite, 0.0) @ directions.T
        analytical[(~finite).double() @ directions.abs().T > 0] = torch.nan
        return Compared(analytical, numerical, bound, between - half, between + half)

    def is_singular(self, directions: Tensor) -> Tensor:
        """Where the derivative jumps from one neighbour of the point to another, and the gradient is one of those or
        between them: at a matrix of equal singular values, say, the function has no derivative, whatever differences
        give. (grad_outputs, directions)."""
        found = []
        for seed in range(8):
            generator = torch.Generator().manual_seed(seed)
            leaves = []
            for x in self.point.leaves:
                step = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.device, x.dtype)
                leaves.append((x.detach() + 2.0**-20 * x.detach().abs().clamp(min=1.0) * step).requires_grad_())
            found.append(self._gradients(leaves) @ directions.T)
        near = torch.stack(found)
        low, high = near.amin(0), near.amax(0)
        jumps = near.isfinite().all(0) & (high - low > 1e-2 * near.abs().amax(0))
        at = self.g @ directions.T
        return jumps & ~((at < 2 * low - high) | (at > 2 * high - low))


def nudged(leaves: Sequence[Tensor], seed: int) -> list[Tensor]:
    """The inputs, each element moved up or down by some roundings of its dtype."""
    generator = torch.Generator().manual_seed(seed)
    moved = []
    for x in leaves:
        sign = torch.randint(0, 2, x.shape, generator=generator, dtype=torch.float64).to(x.device) * 2 - 1
        near = x.detach().double() * (1 + 2 * torch.finfo(x.dtype).eps * sign)
        moved.append(same_layout(x).copy_(near).requires_grad_())
    return moved


def _row(gradients: Sequence[Tensor]) -> Tensor:
    return torch.cat([g.detach().to_dense().reshape(-1).double() for g in gradients])
