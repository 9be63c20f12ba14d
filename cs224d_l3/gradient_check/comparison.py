"""Gradients compared with finite differences: which elements are wrong, and what that looks like."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .error_bounds import EPS, gradient_rounding, overflows
from .finite_differences import FlatFunction, derivative
from .point import Point, random_signed_like, same_layout
from .report import Finding, Report


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


def compare_gradients(point: Point, max_elements: int = 48, h: float = 2.0**-10, tolerance: float = 0.0) -> Report:
    """Every gradient of a point against finite differences, for two grad_outputs: one dense, one with a single entry.

    Up to ``max_elements`` by element, beyond that along random directions of ones and minus ones. ``tolerance`` is
    granted beside the bounds, relative to the largest element of the gradient.
    """
    dense = [random_signed_like(y, k) for k, y in enumerate(point.outputs)]
    single = [torch.zeros_like(y, memory_format=torch.contiguous_format) for y in point.outputs]
    largest = max(single, key=Tensor.numel)
    if largest.numel():
        largest.view(-1)[-1] = -0.75
    comparison = Comparison(point, [dense, single], h, tolerance)
    size = comparison.flat.size
    report, start = Report(), 0
    if size > max_elements and comparison.agrees_along_signs():
        report.checked = size
        return report
    elements = comparison.along(torch.eye(size, dtype=torch.float64)) if size <= max_elements else None
    for name, leaf in zip(point.names, point.leaves, strict=True):
        part = range(start, start + leaf.numel())
        start += leaf.numel()
        if not part:
            continue
        if elements:
            judge_elements(report, name, leaf, comparison, elements, part)
        else:
            judge_directions(report, name, leaf, comparison, part)
    if report.findings:
        report.verdict = "fail"
        report.findings.sort(key=lambda x: -abs(x.analytical - x.numerical) / x.bound if x.bound else 0)
    elif report.unjudged:
        report.verdict = "inconclusive"
    return report


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
        return Finding(name, index, a * sign, n * sign, bound, hint)


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
        self.point, self.h, self.tolerance = point, h, tolerance
        with torch.no_grad():
            self.flat = FlatFunction(point.flat, [leaf.detach().double() for leaf in point.leaves])
        self.v = torch.stack([torch.cat([y.detach().reshape(-1).double() for y in v]) for v in grad_outputs])
        self.g = torch.stack([_row(point.gradients(v)) for v in grad_outputs])
        self.grad_outputs = grad_outputs
        self.eps, self.noise = point.own_eps, torch.zeros_like(self.g)
        self.is_measured = False

    def _measure(self) -> None:
        self.is_measured, self.eps = True, self.point.eps
        near = [nudged(self.point.leaves, seed) for seed in range(2)]
        moved = [torch.stack([_row(self.point.gradients(v, leaves)) for v in self.grad_outputs]) for leaves in near]
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
        rounding = rounding + (16 if eps <= EPS else 2) * self.noise @ directions.abs().T
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
        grad_outputs = [self.point.split(row) for row in self.v]
        found = []
        for seed in range(8):
            generator = torch.Generator().manual_seed(seed)
            leaves = []
            for x in self.point.leaves:
                step = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.device, x.dtype)
                leaves.append((x.detach() + 2.0**-20 * x.detach().abs().clamp(min=1.0) * step).requires_grad_())
            found.append(torch.stack([_row(self.point.gradients(v, leaves)) for v in grad_outputs]) @ directions.T)
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


def judge_elements(
    report: Report, name: str, leaf: Tensor, comparison: Comparison, elements: Compared, part: range
) -> None:
    """One by one; the three worst become findings."""
    compared = elements.columns(part)
    judged = compared.bound.isfinite()
    # 0 * inf, where one grad_output meets an infinite slope; a difference that is itself uncertain proves no infinity
    certain = compared.bound <= 1e-3 * compared.numerical.abs().clamp(min=1.0)
    judged &= compared.analytical.isfinite() | (judged & certain).all(0)
    outside_sides = ~judged & compared.low.isfinite() & compared.high.isfinite() & ~compared.between_sides()
    outside_sides &= compared.analytical.isfinite()
    wrong = judged & ~compared.agrees()
    if wrong.any():
        axes = torch.eye(comparison.flat.size, dtype=torch.float64)[part.start : part.stop]
        wrong &= ~(_tied(leaf, comparison, part, wrong) | comparison.is_singular(axes))
    wrong |= outside_sides
    report.checked += int(judged.sum())
    report.unjudged += int((~judged).sum())
    if wrong.any():
        hint = diagnose(compared, leaf)
        excess = compared.excess().where(judged, 1.0).where(wrong, 0.0).amax(0)
        for i in excess.argsort(descending=True)[:3].tolist():
            if excess[i] > 0:
                row = int(wrong[:, i].int().argmax())
                index = unravel(i, leaf.shape)
                if outside_sides[row, i]:
                    report.findings.append(_at_kink(compared, row, i, name, index))
                else:
                    report.findings.append(compared.finding(row, i, name, index, hint))
    elif not judged.all():
        _judge_sum(report, name, comparison, part)


def _at_kink(compared: Compared, row: int, i: int, name: str, index: tuple[int, ...]) -> Finding:
    low, high, a = (float(t[row, i]) for t in (compared.low, compared.high, compared.analytical))
    hint = f"at a kink, where the slopes of the two sides are {low:.6g} and {high:.6g}"
    return Finding(name, index, a, min(max(a, low), high), 0.0, hint)


def _tied(leaf: Tensor, comparison: Comparison, part: range, wrong: Tensor) -> Tensor:
    """The wrong elements that are right as a group of equal ones: which of them a maximum or a rank chooses is free."""
    excused = torch.zeros_like(wrong)
    _, group = leaf.detach().reshape(-1).unique(return_inverse=True)
    for k in group[wrong.any(0).to(group.device)].unique().tolist():
        members = (group == k).cpu()
        if members.sum() > 1:
            direction = torch.zeros(1, comparison.flat.size, dtype=torch.float64)
            direction[0, part.start : part.stop] = members.double()
            together = comparison.along(direction)
            fine = together.bound.isfinite() & together.agrees()
            excused |= fine & members
    return excused


def _judge_sum(report: Report, name: str, comparison: Comparison, part: range) -> None:
    """Along the direction of ones, where a kink between equal elements is smooth."""
    direction = torch.zeros(2, comparison.flat.size, dtype=torch.float64)
    direction[0, part.start : part.stop] = direction[1] = 1.0
    compared = comparison.along(direction)
    wrong = compared.bound.isfinite() & ~compared.agrees() & compared.analytical.isfinite()
    if wrong.any():
        wrong &= ~comparison.is_singular(direction)
    if wrong.any():
        row, column = (int(i) for i in wrong.nonzero()[0])
        finding = compared.finding(row, column, name, None, "the sum over equal elements is wrong")
        report.findings.append(finding)


def judge_directions(report: Report, name: str, leaf: Tensor, comparison: Comparison, part: range) -> None:
    """Along two random directions of ones and minus ones, where one wrong element shows as well as all."""
    size = comparison.flat.size
    generator = torch.Generator().manual_seed(len(part))
    signs = torch.zeros(2, size, dtype=torch.float64)
    signs[:, part.start : part.stop] = torch.randint(0, 2, (2, len(part)), generator=generator).double() * 2 - 1
    not_finite = (~comparison.g[:, part.start : part.stop].isfinite()).any(0).nonzero()[:, 0]
    if len(not_finite):
        some = torch.zeros(len(not_finite[:16]), size, dtype=torch.float64)
        some[range(len(some)), part.start + not_finite[:16]] = 1.0
        compared = comparison.along(some)
        if (judged := compared.bound.isfinite().all(0)).any():
            i = int(judged.int().argmax())
            index = unravel(int(not_finite[i]), leaf.shape)
            report.findings.append(compared.finding(0, i, name, index, NOT_FINITE))
            return
        report.unjudged += len(not_finite)
        signs[:, part.start + not_finite] = 0.0
    for direction in signs:
        compared = comparison.along(direction[None])
        judged = compared.bound.isfinite()
        report.checked += int(judged.sum())
        report.unjudged += int((~judged).sum())
        if (judged & ~compared.agrees()).any():
            report.findings.append(bisect(name, leaf, comparison, part, direction))
            return


def bisect(name: str, leaf: Tensor, comparison: Comparison, part: range, direction: Tensor) -> Finding:
    """From a direction that is wrong to an element that is."""
    members = torch.arange(part.start, part.stop)
    while True:
        halves = members.tensor_split(2) if len(members) > 1 else (members,)
        directions = torch.zeros(len(halves), comparison.flat.size, dtype=torch.float64)
        for row, half in zip(directions, halves, strict=True):
            row[half] = direction[half]
        compared = comparison.along(directions)
        excess = compared.excess()
        worst = int(excess.amax(0).argmax())
        row = int(excess[:, worst].argmax())
        if len(members) == 1:
            index = unravel(int(members[0]) - part.start, leaf.shape)
            return compared.finding(row, worst, name, index, sign=float(direction[members[0]]))
        if not excess[row, worst] > 1:
            return compared.finding(row, worst, name, None)
        members = halves[worst]


NOT_FINITE = "the gradient is not finite although the function is"


def diagnose(compared: Compared, leaf: Tensor) -> str:
    """The likely mistake, from the pattern of a wrong gradient."""
    a, n, bound = compared.analytical[0], compared.numerical[0], compared.bound[0]
    difference = (compared.analytical - compared.numerical).abs()
    if not a.isfinite().all():
        return NOT_FINITE
    if not a.any() and n.any():
        return "the gradient is zero: was it left out, or detached?"
    large = n.abs() > 1e-3 * n.abs().max()
    ratio = a[large] / n[large]
    factor = float(ratio.mean()) if len(ratio) > 1 else 1.0
    if abs(factor - 1) > 1e-5 and (ratio - factor).abs().max() < 1e-2 * abs(factor - 1):
        return f"the whole gradient is {factor:.6g} times the right one"
    if leaf.ndim == 2 and leaf.shape[0] == leaf.shape[1]:
        transposed = n.view(leaf.shape).T.reshape(-1)
        if ((a - transposed).abs() <= 2 * bound + 1e-9 * n.abs().max()).all():
            return "it is the transpose of the right one"
    return f"{int((difference > compared.bound).any(0).sum())} of {len(a)} elements are wrong"


def unravel(i: int, shape: torch.Size) -> tuple[int, ...]:
    return tuple(int(j) for j in torch.unravel_index(torch.tensor(i), shape))
