"""A function at one point: its outputs, its gradients by the backward pass, and the differences to judge them by."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .judge import Judge
from .numerical import Surroundings
from .report import Report


class Point:
    """A function at its inputs.

    Attributes:
        leaves: copies of the inputs that require a gradient.
        outputs: what f gives there, tensors with a gradient alone.
    """

    def __init__(
        self, f: Callable[..., Any], inputs: Sequence[Any], names: Sequence[str], constant: bool = False
    ) -> None:
        self.f, self.inputs = f, list(inputs)
        self.checked = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
        self.names = [names[i] for i in self.checked]
        if not self.checked:
            raise ValueError("inputs must hold a tensor that requires a gradient, got none")
        for x in self.inputs:
            if isinstance(x, Tensor) and x.is_complex():
                raise TypeError("complex inputs are not supported: check the real and the imaginary part as two inputs")
            if isinstance(x, Tensor) and x.layout != torch.strided:
                raise TypeError(f"inputs must be dense, got a tensor of layout {x.layout}")
        self.leaves = [same_layout(inputs[i]).requires_grad_() for i in self.checked]
        self.outputs = self.call(self.leaves)
        if not constant and not any(out.requires_grad for out in self.outputs):
            raise ValueError("f must return a tensor with a gradient, got one that does not depend on the inputs")
        self.kept = [i for i, out in enumerate(self.outputs) if constant or out.requires_grad]
        self.outputs = [self.outputs[i] for i in self.kept]
        again = [out.detach() for i, out in enumerate(self.call(self.leaves)) if i in self.kept]
        if not all(
            torch.equal(a.nan_to_num(), b.detach().nan_to_num()) for a, b in zip(again, self.outputs, strict=True)
        ):
            raise ValueError(
                "f must give the same value for the same inputs, and it gave two: is it random or stateful?"
            )

    def call(self, leaves: Sequence[Tensor], double: bool = False) -> list[Tensor]:
        """f's outputs that are floating-point tensors; with ``double`` all floating-point inputs are float64."""
        arguments = list(self.inputs)
        for i, leaf in zip(self.checked, leaves, strict=True):
            arguments[i] = leaf
        if double:
            arguments = [x.double() if isinstance(x, Tensor) and x.is_floating_point() else x for x in arguments]
        try:
            out = self.f(*arguments)
        except Exception as error:
            raise ValueError(
                f"f must give a value for its inputs, and it raised {type(error).__name__}: {error}"
            ) from error
        outputs = [y for y in (out if isinstance(out, tuple | list) else (out,)) if isinstance(y, Tensor)]
        outputs = [torch.view_as_real(y.resolve_conj()) if y.is_complex() else y for y in outputs]
        outputs = [y for y in outputs if y.is_floating_point()]
        if not outputs:
            raise TypeError(f"f must return a floating-point tensor, got {out!r:.60}")
        return outputs

    def gradients(self, v: Sequence[Tensor]) -> list[Tensor]:
        """By f's backward pass."""
        with_gradient = [(y, w) for y, w in zip(self.outputs, v, strict=True) if y.requires_grad]
        if not with_gradient:
            return [torch.zeros_like(leaf) for leaf in self.leaves]
        outputs, v = zip(*with_gradient, strict=True)
        return list(torch.autograd.grad(outputs, self.leaves, v, retain_graph=True, materialize_grads=True))

    def flat(self, *leaves: Tensor) -> Tensor:
        """All outputs in one row, in float64."""
        outputs = self.call(leaves, double=True)
        return torch.cat([outputs[i].reshape(-1) for i in self.kept])

    def check(self, max_elements: int, h: float) -> Report:
        """Every gradient, for two cotangents."""
        dense = [signed(y, k) for k, y in enumerate(self.outputs)]
        single = [torch.zeros_like(y, memory_format=torch.contiguous_format) for y in self.outputs]
        largest = max(range(len(single)), key=lambda k: single[k].numel())
        if single[largest].numel():
            single[largest].view(-1)[-1] = -0.75
        analytical = [(v, self.gradients(v)) for v in (dense, single)]
        report = Report()
        with torch.no_grad():
            around = Surroundings(self.flat, [leaf.detach().double() for leaf in self.leaves])
        v_rows = [torch.cat([y.detach().reshape(-1).double() for y in v]) for v, _ in analytical]
        g_rows = [torch.cat([g.detach().to_dense().reshape(-1).double() for g in gs]) for _, gs in analytical]
        judge = Judge([leaf.dtype for leaf in self.leaves], around, v_rows, g_rows, h)
        by_element = around.size <= max_elements
        compared = judge.compare(torch.eye(around.size, dtype=torch.float64)) if by_element else None
        start = 0
        for name, leaf in zip(self.names, self.leaves, strict=True):
            part = range(start, start + leaf.numel())
            start += leaf.numel()
            if leaf.numel() == 0:
                continue
            if compared:
                judge.elements(report, name, leaf, [t[:, part.start : part.stop] for t in compared])
            else:
                judge.directions(report, name, leaf, part)
        if report.findings:
            report.verdict = "fail"
            report.findings.sort(key=lambda x: -abs(x.analytical - x.numerical) / x.bound if x.bound else 0)
        elif report.unjudged:
            report.verdict = "inconclusive"
        return report


def second_order(point: Point) -> Point:
    """The gradients of f as a function of the inputs and of v, to be checked in their turn.

    They may be constant, as those of a piecewise linear f are.
    """
    count = len(point.leaves)

    def gradient(*arguments: Tensor) -> tuple[Tensor, ...]:
        leaves, v = arguments[:count], arguments[count:]
        with torch.enable_grad():
            live = [x if x.requires_grad else x.detach().requires_grad_() for x in leaves]
            outputs = [point.call(live)[i] for i in point.kept]
            create = any(x.requires_grad for x in arguments)
            return tuple(torch.autograd.grad(outputs, live, v, create_graph=create, materialize_grads=True))

    v = [signed(y, k).requires_grad_() for k, y in enumerate(point.outputs)]
    names = [f"{name} (second order)" for name in point.names] + ["the incoming gradient"] * len(v)
    return Point(gradient, [*point.leaves, *v], names, constant=True)


def signed(y: Tensor, seed: int = 0) -> Tensor:
    """A cotangent for y: numbers of both signs between 1/2 and 3/2, no two alike, the same for the same shape."""
    generator = torch.Generator().manual_seed(1000 * seed + y.numel())
    v = torch.rand(y.shape, generator=generator, dtype=torch.float64) + 0.5
    sign = torch.randint(0, 2, y.shape, generator=generator) * 2 - 1
    return (v * sign).to(y.device, y.dtype)


def same_layout(x: Tensor) -> Tensor:
    """A copy with the strides of x; one that repeats memory is copied in full."""
    return x.detach().clone(memory_format=torch.preserve_format)
