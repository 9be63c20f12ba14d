"""Gradients compared with finite differences: which elements are wrong, and what that looks like."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .error_bounds import gradient_rounding, overflows
from .finite_differences import FlatFunction, derivative
from .point import Point, random_signed_like
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


def compare_gradients(point: Point, max_elements: int = 48, h: float = 2.0**-10) -> Report:
    """Every gradient of a point against finite differences, for two grad_outputs: one dense, one with a single entry.

    Up to ``max_elements`` by element, beyond that along random directions of ones and minus ones.
    """
    dense = [random_signed_like(y, k) for k, y in enumerate(point.outputs)]
    single = [torch.zeros_like(y, memory_format=torch.contiguous_format) for y in point.outputs]
    largest = max(single, key=Tensor.numel)
    if largest.numel():
        largest.view(-1)[-1] = -0.75
    comparison = Comparison(point, [dense, single], h)
    size = comparison.flat.size
    elements = comparison.along(torch.eye(size, dtype=torch.float64)) if size <= max_elements else None
    report, start = Report(), 0
    for name, leaf in zip(point.names, point.leaves, strict=True):
        part = range(start, start + leaf.numel())
        start += leaf.numel()
        if not part:
            continue
        if elements:
            judge_elements(report, name, leaf, elements.columns(part))
        else:
            judge_directions(report, name, leaf, comparison, part)
    if report.findings:
        report.verdict = "fail"
        report.findings.sort(key=lambda x: -abs(x.analytical - x.numerical) / x.bound if x.bound else 0)
    elif report.unjudged:
        report.verdict = "inconclusive"
    return report


class Compared(NamedTuple):
    """Derivatives of v o f along directions, (grad_outputs v, directions), and the bound of their difference."""

    analytical: Tensor
    numerical: Tensor
    bound: Tensor

    def columns(self, part: range) -> "Compared":
        return Compared(*(t[:, part.start : part.stop] for t in self))

    def agrees(self) -> Tensor:
        """Within the bound; NaN is not."""
        return (self.analytical - self.numerical).abs() <= self.bound

    def excess(self) -> Tensor:
        """The difference in units of the bound."""
        return ((self.analytical - self.numerical).abs() / self.bound).nan_to_num(torch.inf)

    def finding(
        self, row: int, column: int, name: str, index: tuple[int, ...] | None, hint: str = "", sign: float = 1.0
    ) -> Finding:
        a, n, bound = (float(t[row, column]) for t in self)
        return Finding(name, index, a * sign, n * sign, bound, hint)


class Comparison:
    """The gradients of a point for some grad_outputs, and the function to take differences of.

    Attributes:
        flat: the function in float64.
        v: grad_outputs, a row each.
        g: the gradients by the backward pass, a row each.
    """

    def __init__(self, point: Point, grad_outputs: Sequence[Sequence[Tensor]], h: float) -> None:
        gradients = [point.gradients(v) for v in grad_outputs]
        with torch.no_grad():
            self.flat = FlatFunction(point.flat, [leaf.detach().double() for leaf in point.leaves])
        self.v = torch.stack([torch.cat([y.detach().reshape(-1).double() for y in v]) for v in grad_outputs])
        self.g = torch.stack([torch.cat([g.detach().to_dense().reshape(-1).double() for g in gs]) for gs in gradients])
        self.dtypes, self.h = [leaf.dtype for leaf in point.leaves], h

    def along(self, directions: Tensor) -> Compared:
        """Along each direction. Where f has steps as fine as h the difference errs: what disagrees is taken again
        with a smaller step."""
        compared = self._along(directions, self.h)
        outside = (compared.bound.isfinite() & ~compared.agrees()).any(0)
        if outside.any():
            near = self._along(directions[outside], self.h / 2**6)
            far = Compared(*(t[:, outside] for t in compared))
            moved = (near.numerical - far.numerical).abs() > 0.5 * (far.analytical - far.numerical).abs()
            misled = moved | near.bound.isinf()
            compared.numerical[:, outside] = torch.where(misled, near.numerical, far.numerical)
            compared.bound[:, outside] = torch.where(misled, near.bound, far.bound)
        return compared

    def _along(self, directions: Tensor, h: float) -> Compared:
        v, g = self.v, self.g
        if not v.numel() or not len(directions):
            return Compared(*(torch.zeros(len(v), len(directions), dtype=torch.float64) for _ in range(3)))
        found = derivative(self.flat, directions, h)
        value = found.value.nan_to_num()

        def summed(v: Tensor, terms: Tensor) -> Tensor:  # an output that v leaves out may lie on a kink
            return torch.stack([(row[used] * terms[:, used]).sum(1) for row, used in zip(v, v != 0, strict=True)])

        numerical = summed(v, value)
        rounding = gradient_rounding(
            self.dtypes, self.flat.point, self.flat.value, v, g, directions, summed(v.abs(), value.abs())
        )
        bound = summed(v.abs(), found.bound) + rounding
        bound[:, overflows(numerical, self.dtypes).any(0)] = torch.inf
        finite = g.isfinite()
        analytical = g.where(finite, 0.0) @ directions.T
        analytical[(~finite).double() @ directions.abs().T > 0] = torch.nan
        return Compared(analytical, numerical, bound)


def judge_elements(report: Report, name: str, leaf: Tensor, compared: Compared) -> None:
    """One by one; the three worst become findings."""
    judged = compared.bound.isfinite()
    judged &= compared.analytical.isfinite() | judged.all(0)  # 0 * inf, where one grad_output meets an infinite slope
    wrong = judged & ~compared.agrees()
    report.checked += int(judged.sum())
    report.unjudged += int((~judged).sum())
    if wrong.any():
        hint = diagnose(compared, leaf)
        excess = compared.excess().where(wrong, 0.0).amax(0)
        for i in excess.argsort(descending=True)[:3].tolist():
            if excess[i] > 0:
                row = int(wrong[:, i].int().argmax())
                report.findings.append(compared.finding(row, i, name, unravel(i, leaf.shape), hint))


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
