"""Judgement of gradients beside finite differences: which elements are wrong, and what that looks like."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .comparison import Compared, Comparison
from .point import Point, random_signed_like
from .report import Finding, Report


def compare_gradients(point: Point, max_elements: int = 48, h: float = 2.0**-10, tolerance: float = 0.0) -> Report:
    """Every gradient of a point against finite differences, for two grad_outputs: one dense, one with a single entry.

    Up to ``max_elements`` by element, beyond that along random directions of ones and minus ones. ``tolerance`` is
    granted beside the bounds, relative to the largest element of the gradient.
    """
    comparison = Comparison(point, dense_and_single(point.outputs), h, tolerance)
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


def dense_and_single(outputs: Sequence[Tensor]) -> list[list[Tensor]]:
    """Two grad_outputs: numbers of both signs everywhere, and one in the last element of the largest output alone."""
    dense = [random_signed_like(y, k) for k, y in enumerate(outputs)]
    single = [torch.zeros_like(y, memory_format=torch.contiguous_format) for y in outputs]
    largest = max(single, key=Tensor.numel)
    if largest.numel():
        largest.view(-1)[-1] = -0.75
    return [dense, single]


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
    return Finding(name, index, a, min(max(a, low), high), 0.0, hint, row)


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
