"""One call of a function, which a property runs again in its own way and compares with the plain run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .comparison import compare_gradients
from .point import Point, random_signed_like, same_layout
from .report import GradientCheckError, Report

Run = tuple[list[Tensor], list[Tensor]]  # outputs, gradients


@dataclass
class Call:
    """One call: a function and its arguments in float64.

    Attributes:
        fn: the function, constants already bound.
        names: of the arguments.
        values: tensors; it is differentiated by those of a floating-point dtype.
        ordinary: the values are neither extreme nor tied, so that no kink is expected.
        reference: another function of the same arguments, known to be right.
    """

    fn: Callable[..., Any]
    names: list[str]
    values: list[Any]
    ordinary: bool = True
    reference: Callable[..., Any] | None = None

    @property
    def differentiable(self) -> list[int]:
        return [i for i, x in enumerate(self.values) if isinstance(x, Tensor) and x.is_floating_point()]

    def arguments(self, needs: Sequence[int] | None = None, values: Sequence[Any] | None = None) -> list[Any]:
        """Fresh copies; those in ``needs``, by default all that can, require a gradient."""
        needs = self.differentiable if needs is None else needs
        copies = [same_layout(x) if isinstance(x, Tensor) else x for x in (self.values if values is None else values)]
        return [x.requires_grad_() if i in needs else x for i, x in enumerate(copies)]

    def outputs(self, arguments: Sequence[Any], fn: Callable[..., Any] | None = None) -> list[Tensor]:
        """The floating-point outputs."""
        out = (fn or self.fn)(*arguments)
        outputs = out if isinstance(out, tuple | list) else (out,)
        return [y for y in outputs if isinstance(y, Tensor) and y.is_floating_point()]

    def gradients(
        self,
        arguments: Sequence[Any],
        outputs: Sequence[Tensor],
        grad_outputs: Sequence[Tensor] | None = None,
        **options: Any,
    ) -> list[Tensor]:
        """By the backward pass, of all arguments that require a gradient."""
        leaves = [x for x in arguments if isinstance(x, Tensor) and x.requires_grad]
        grad_outputs = self.grad_outputs(outputs) if grad_outputs is None else grad_outputs
        pairs = [(y, v) for y, v in zip(outputs, grad_outputs, strict=True) if y.requires_grad]
        if not pairs:
            return [torch.zeros_like(x) for x in leaves]
        outputs, grad_outputs = zip(*pairs, strict=True)
        found = torch.autograd.grad(outputs, leaves, grad_outputs, materialize_grads=True, **options)
        return [g.detach().to_dense() if g.is_sparse else g.detach().clone() for g in found]

    @staticmethod
    def grad_outputs(outputs: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
        """Gradients to come in, one for each output."""
        return [random_signed_like(y, k + seed) for k, y in enumerate(outputs)]

    def run(self, arguments: Sequence[Any] | None = None, grad_outputs: Sequence[Tensor] | None = None) -> Run:
        """Outputs and gradients of a fresh call."""
        arguments = self.arguments() if arguments is None else arguments
        outputs = self.outputs(arguments)
        return [y.detach().clone() for y in outputs], self.gradients(arguments, outputs, grad_outputs)

    @cached_property
    def plain(self) -> Run:
        """Outputs and gradients of the plain call, to compare with."""
        return self.run()

    @cached_property
    def report(self) -> Report:
        """The verdict of finite differences on the gradients."""
        return compare_gradients(Point(self.fn, self.arguments(), self.names))

    def other_values(self) -> list[Any]:
        """Other values of the same kind and of the same shapes."""
        return [
            x.flip(tuple(range(x.ndim))) * 0.75 + 0.03125 * (x.numel() == 1)
            if i in self.differentiable
            else x.flip(tuple(range(x.ndim)))
            if isinstance(x, Tensor)
            else x
            for i, x in enumerate(self.values)
        ]

    def assert_same(
        self, found: Sequence[Tensor], expected: Sequence[Tensor], sentence: str, precision: float = 1e-9
    ) -> None:
        """Equal to rounding, in units of the largest element; NaN equals NaN."""
        for k, (a, b) in enumerate(zip(found, expected, strict=True)):
            if a.shape != b.shape:
                raise GradientCheckError(f"{sentence}: shapes {tuple(a.shape)} and {tuple(b.shape)}")
            if not a.numel():
                continue
            a, b = a.detach().double(), b.detach().double()
            finite = a.isfinite() & b.isfinite()
            size = b[finite].abs().max() if finite.any() else torch.zeros(())
            same = torch.where(finite, (a - b).abs() <= precision * size, (a == b) | (a.isnan() & b.isnan()))
            if not same.all():
                i = tuple(int(j) for j in (~same).nonzero()[0])
                which = f"of {self.names[self.differentiable[k]]}" if len(found) == len(self.differentiable) else f"{k}"
                raise GradientCheckError(
                    f"{sentence}: {float(a[i]):.6g} against {float(b[i]):.6g} at {list(i)} {which}"
                )
