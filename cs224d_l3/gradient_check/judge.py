"""Gradients against differences: which elements are wrong, and what that looks like."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .numerical import EPS, Surroundings, derivative
from .report import Finding, Report

LOW_PRECISION_ULPS = 32  # of the largest derivative: what a chain of rounded operations may be off by


class Judge:
    """Compares rows of gradients, one a cotangent, with differences along directions."""

    def __init__(
        self, dtypes: Sequence[torch.dtype], around: Surroundings, v_rows: list[Tensor], g_rows: list[Tensor], h: float
    ) -> None:
        self.dtypes, self.around, self.h = dtypes, around, h
        self.v, self.g = torch.stack(v_rows), torch.stack(g_rows)
        self.low = max((torch.finfo(dtype).eps for dtype in dtypes), default=EPS)

    def compare(self, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(cotangents, directions): by formula, by differences, and the bound.

        What is outside is looked at again with a smaller step: where f has steps as fine as h, the first look errs.
        """
        analytical, numerical, bound = self._compare(directions, self.h)
        outside = (bound.isfinite() & ~((analytical - numerical).abs() <= bound)).any(0)
        if outside.any():
            _, near, near_bound = self._compare(directions[outside], self.h / 2**6)
            far, far_bound = numerical[:, outside], bound[:, outside]
            misled = ((near - far).abs() > 0.5 * (analytical[:, outside] - far).abs()) | near_bound.isinf()
            numerical[:, outside] = torch.where(misled, near, far)
            bound[:, outside] = torch.where(misled, near_bound, far_bound)
        return analytical, numerical, bound

    def _compare(self, directions: Tensor, h: float) -> tuple[Tensor, Tensor, Tensor]:
        if not self.v.numel() or not len(directions):
            return (torch.zeros(len(self.v), len(directions), dtype=torch.float64),) * 3
        found = derivative(self.around, directions, h)
        used = self.v != 0  # an output that v leaves out may lie on a kink
        bound = torch.stack([(v.abs()[on] * found.bound[:, on]).sum(1) for v, on in zip(self.v, used, strict=True)])
        numerical = torch.stack(
            [(v[on] * found.value[:, on].nan_to_num()).sum(1) for v, on in zip(self.v, used, strict=True)]
        )
        size = torch.stack(
            [(v.abs()[on] * found.value[:, on].abs().nan_to_num()).sum(1) for v, on in zip(self.v, used, strict=True)]
        )
        # the gradient itself is rounded: in the units of its terms, and of v o x where they cancel
        v_x = self.v.abs().amax(1, keepdim=True) * self.around.point.abs().amax().clamp(min=1.0)
        bound = bound + 64 * EPS * (size + self.g.abs().where(self.g.isfinite(), 0.0) @ directions.abs().T + v_x)
        if self.low > EPS:
            # rounding in the units of a gradient: of the largest derivative, and of v o y over x
            y = self.around.value.abs().nan_to_num().amax()
            y_over_x = self.v.abs().amax(1) * y / self.around.point.abs().amax().clamp(min=1e-30)
            scale = torch.maximum(self.g.nan_to_num().abs().amax(1), y_over_x)[:, None]
            count = max(1.0, float(self.around.size)) ** 0.5
            bound = bound + LOW_PRECISION_ULPS * self.low * count * scale * directions.square().sum(1).sqrt()
            bound = bound + 4 * count * max(torch.finfo(dtype).smallest_normal * self.low for dtype in self.dtypes)
        # a derivative beyond the largest number of the type cannot be given
        bound[:, (numerical.abs() > 0.5 * min(torch.finfo(dtype).max for dtype in self.dtypes)).any(0)] = torch.inf
        finite = self.g.isfinite()
        analytical = self.g.where(finite, 0.0) @ directions.T
        analytical[(~finite).double() @ directions.abs().T > 0] = torch.nan
        return analytical, numerical, bound

    def elements(self, report: Report, name: str, leaf: Tensor, compared: Sequence[Tensor]) -> None:
        analytical, numerical, bound = compared
        judged = bound.isfinite()
        judged &= analytical.isfinite() | judged.all(0)  # 0 * inf, where one cotangent meets an infinite slope
        wrong = judged & ~((analytical - numerical).abs() <= bound)
        report.checked += int(judged.sum())
        report.unjudged += int((~judged).sum())
        if wrong.any():
            hint = diagnose(analytical, numerical, bound, leaf)
            excess = ((analytical - numerical).abs() / bound).nan_to_num(torch.inf).where(wrong, 0.0).amax(0)
            for i in excess.argsort(descending=True)[:3].tolist():
                if excess[i] > 0:
                    row = int(wrong[:, i].int().argmax())
                    a, n, b = (float(t[row, i]) for t in (analytical, numerical, bound))
                    report.findings.append(Finding(name, unravel(i, leaf.shape), a, n, b, hint))

    def directions(self, report: Report, name: str, leaf: Tensor, part: range) -> None:
        generator = torch.Generator().manual_seed(len(part))
        signs = torch.zeros(2, self.around.size, dtype=torch.float64)
        signs[:, part.start : part.stop] = torch.randint(0, 2, (2, len(part)), generator=generator).double() * 2 - 1
        if len(without := (~self.g[:, part.start : part.stop].isfinite()).any(0).nonzero()[:, 0]):
            some = torch.zeros(len(without[:16]), self.around.size, dtype=torch.float64)
            some[range(len(some)), part.start + without[:16]] = 1.0
            analytical, numerical, bound = self.compare(some)
            if (judged := bound.isfinite().all(0)).any():
                i = int(judged.int().argmax())
                hint = "the gradient is not finite although the function is"
                values = (float(analytical[0, i]), float(numerical[0, i]), float(bound[0, i]))
                report.findings.append(Finding(name, unravel(int(without[i]), leaf.shape), *values, hint))
                return
            report.unjudged += len(without)
            signs[:, part.start + without] = 0.0
        for direction in signs:
            analytical, numerical, bound = self.compare(direction[None])
            judged = bound.isfinite()
            report.checked += int(judged.sum())
            report.unjudged += int((~judged).sum())
            if (judged & ~((analytical - numerical).abs() <= bound)).any():
                report.findings.append(self.halve(name, leaf, part, direction))
                return

    def halve(self, name: str, leaf: Tensor, part: range, direction: Tensor) -> Finding:
        """From a direction that is wrong to an element that is."""
        members = torch.arange(part.start, part.stop)
        while True:
            halves = torch.zeros(2, self.around.size, dtype=torch.float64)
            parts = members.tensor_split(2) if len(members) > 1 else (members,)
            for row, half in zip(halves, parts, strict=False):
                row[half] = direction[half]
            analytical, numerical, bound = self.compare(halves[: len(parts)])
            excess = ((analytical - numerical).abs() / bound).nan_to_num(torch.inf)
            worst = int(excess.amax(0).argmax())
            row = int(excess[:, worst].argmax())
            a, n, b = (float(t[row, worst]) for t in (analytical, numerical, bound))
            if len(members) == 1:
                sign = float(direction[members[0]])
                return Finding(name, unravel(int(members[0]) - part.start, leaf.shape), a * sign, n * sign, b)
            if not excess[row, worst] > 1:
                return Finding(name, None, a, n, b)
            members = parts[worst]


def diagnose(analytical: Tensor, numerical: Tensor, bound: Tensor, leaf: Tensor) -> str:
    """What a wrong gradient looks like."""
    a, n = analytical[0], numerical[0]
    if not a.isfinite().all():
        return "the gradient is not finite although the function is"
    if not a.any() and n.any():
        return "the gradient is zero: was it left out, or detached?"
    large = n.abs() > 1e-3 * n.abs().max()
    ratio = a[large] / n[large]
    factor = float(ratio.mean()) if len(ratio) > 1 else 1.0
    if abs(factor - 1) > 1e-5 and (ratio - factor).abs().max() < 1e-2 * abs(factor - 1):
        return f"the whole gradient is {factor:.6g} times the right one"
    if leaf.ndim == 2 and leaf.shape[0] == leaf.shape[1]:
        transposed = n.view(leaf.shape).T.reshape(-1)
        if ((a - transposed).abs() <= 2 * bound[0] + 1e-9 * n.abs().max()).all():
            return "it is the transpose of the right one"
    return f"{int(((analytical - numerical).abs() > bound).any(0).sum())} of {len(a)} elements are wrong"


def unravel(i: int, shape: torch.Size) -> tuple[int, ...]:
    return tuple(int(j) for j in torch.unravel_index(torch.tensor(i), shape))
