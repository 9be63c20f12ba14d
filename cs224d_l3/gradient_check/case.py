"""One call of a function, and ways to compare what two calls give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .point import same_layout, signed
from .report import GradientCheckError

Outcome = tuple[list[Tensor], list[Tensor]]


class UnsupportedError(Exception):
    """The function does not offer this, and says so: no verdict."""


@dataclass
class Case:
    """One call: a function, its arguments in float64, and what it keeps between checks.

    Attributes:
        fn: the function, constants already bound.
        names: of the arguments.
        values: tensors, floating-point ones to be differentiated by.
        ordinary: the values are neither extreme nor tied, so that no kink is expected.
    """

    fn: Callable[..., Any]
    names: list[str]
    values: list[Any]
    ordinary: bool = True
    reference: Callable[..., Any] | None = None
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def differentiable(self) -> list[int]:
        return [i for i, x in enumerate(self.values) if isinstance(x, Tensor) and x.is_floating_point()]

    def arguments(self, needs: Sequence[int] | None = None, values: Sequence[Any] | None = None) -> list[Any]:
        """Fresh copies; those in ``needs``, by default all that can, require a gradient."""
        needs = self.differentiable if needs is None else needs
        copies = [same_layout(x) if isinstance(x, Tensor) else x for x in (self.values if values is None else values)]
        return [x.requires_grad_() if i in needs else x for i, x in enumerate(copies)]

    def call(self, arguments: Sequence[Any], fn: Callable[..., Any] | None = None) -> list[Tensor]:
        """The floating-point outputs."""
        out = (fn or self.fn)(*arguments)
        outputs = out if isinstance(out, tuple | list) else (out,)
        return [y for y in outputs if isinstance(y, Tensor) and y.is_floating_point()]

    def backward(
        self, arguments: Sequence[Any], outputs: Sequence[Tensor], v: Sequence[Tensor] | None = None, **options: Any
    ) -> list[Tensor]:
        leaves = [x for x in arguments if isinstance(x, Tensor) and x.requires_grad]
        v = [signed(y, k) for k, y in enumerate(outputs)] if v is None else v
        pairs = [(y, w) for y, w in zip(outputs, v, strict=True) if y.requires_grad]
        if not pairs:
            return [torch.zeros_like(x) for x in leaves]
        with_gradient, v = zip(*pairs, strict=True)
        found = torch.autograd.grad(with_gradient, leaves, v, materialize_grads=True, **options)
        return [g.detach().to_dense() if g.is_sparse else g.detach().clone() for g in found]

    def outcome(self, arguments: Sequence[Any] | None = None, v: Sequence[Tensor] | None = None) -> Outcome:
        """Values and gradients of a fresh call."""
        arguments = self.arguments() if arguments is None else arguments
        outputs = self.call(arguments)
        return [y.detach().clone() for y in outputs], self.backward(arguments, outputs, v)

    @property
    def usual(self) -> Outcome:
        """Values and gradients of the plain call, to compare with."""
        if "usual" not in self.known:
            self.known["usual"] = self.outcome()
        found: Outcome = self.known["usual"]
        return found

    def others(self) -> list[Any]:
        """Arguments of the same shapes with other values, of the same kind."""
        return [
            x.flip(tuple(range(x.ndim))) * 0.75 + 0.03125 * (x.numel() == 1)
            if i in self.differentiable
            else x.flip(tuple(range(x.ndim)))
            if isinstance(x, Tensor)
            else x
            for i, x in enumerate(self.values)
        ]

    def fail(self, sentence: str) -> None:
        raise GradientCheckError(sentence)

    def same(self, found: Sequence[Tensor], expected: Sequence[Tensor], sentence: str, precision: float = 1e-9) -> None:
        """Equal to rounding, measured by the largest element."""
        for k, (a, b) in enumerate(zip(found, expected, strict=True)):
            if a.shape != b.shape:
                self.fail(f"{sentence}: shapes {tuple(a.shape)} and {tuple(b.shape)}")
            if not a.numel():
                continue
            a, b = a.detach().double(), b.detach().double()
            finite = a.isfinite() & b.isfinite()
            size = b[finite].abs().max() if finite.any() else torch.zeros(())
            alike = torch.where(finite, (a - b).abs() <= precision * size, (a == b) | (a.isnan() & b.isnan()))
            if not alike.all():
                i = tuple(int(j) for j in (~alike).nonzero()[0])
                which = f"of {self.names[self.differentiable[k]]}" if len(found) == len(self.differentiable) else f"{k}"
                self.fail(f"{sentence}: {float(a[i]):.6g} against {float(b[i]):.6g} at {list(i)} {which}")
