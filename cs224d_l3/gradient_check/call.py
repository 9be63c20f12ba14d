"""One call of a function, which a property runs again in its own way and compares with the plain run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .comparison import nudged
from .judgement import compare_gradients
from .operations import Operations, eps_of
from .point import Point, floating_outputs, random_signed_like, same_layout, vjp
from .report import GradientCheckError, Report

Run = tuple[list[Tensor], list[Tensor]]  # outputs, gradients


def flat(run: Any) -> list[Any]:
    """Outputs and gradients in one row."""
    return [*run[0], *run[1]]


@dataclass
class Call:
    """One call: a function and its arguments, tensors and others in one row.

    Attributes:
        fn: the function, constants already bound.
        names: of the arguments.
        values: it is differentiated by those in ``differentiable``.
        differentiable: their positions.
        given_others: other values of the same kinds and shapes; None where there are none.
        ordinary: the values are neither extreme nor tied, so that no kink is expected.
        alike: pairs of positions whose values are of one kind, so that one may stand for the other.
        kinds: of the values of a declaration, "spd" and so on, or "".
        within: onto the arguments of the declared kinds, such as symmetric matrices: derivatives are taken along them.
        reference: another function of the same arguments, known to be right.
        surrogate: a function whose gradient is meant, where it is not fn's own.
        tolerance: of gradients that are approximate by intention, relative to their largest element.
        allow: deviations that are meant, by name.
    """

    fn: Callable[..., Any]
    names: list[str]
    values: list[Any]
    differentiable: list[int]
    given_others: list[Any] | None = None
    ordinary: bool = True
    alike: list[tuple[int, int]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    within: Callable[[Sequence[Any]], Sequence[Any]] | None = None
    reference: Callable[..., Any] | None = None
    surrogate: Callable[..., Any] | None = None
    tolerance: float = 0.0
    allow: frozenset[str] = frozenset()

    def arguments(self, needs: Sequence[int] | None = None, values: Sequence[Any] | None = None) -> list[Any]:
        """Fresh copies; those in ``needs``, by default all that can, require a gradient."""
        needs = self.differentiable if needs is None else needs
        copies = [same_layout(x) if isinstance(x, Tensor) else x for x in (self.values if values is None else values)]
        return [x.requires_grad_() if i in needs else x for i, x in enumerate(copies)]

    def outputs(self, arguments: Sequence[Any], fn: Callable[..., Any] | None = None) -> list[Tensor]:
        """The floating-point outputs."""
        return floating_outputs((fn or self.fn)(*arguments))

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
        return [g.detach().clone() for g in vjp(outputs, leaves, grad_outputs, **options)]

    @staticmethod
    def grad_outputs(outputs: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
        """A grad_output for each output."""
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
    def is_finite(self) -> bool:
        """Whether there is something to compare."""
        return self.gives_finite(self.values)

    @cached_property
    def other_values(self) -> list[Any] | None:
        """Other values that the function takes; None where there are none."""
        return self.given_others if self.given_others and self.gives_finite(self.given_others) else None

    def replacing(self, positions: Sequence[int], code: str) -> list[str]:
        """Lines of code that replace some arguments, ``{x}`` in the text, by others."""
        named = [(self.names[i], i in self.differentiable) for i in positions]
        return [f"{x} = ({code.format(x=x)}){'.detach().requires_grad_()' if needs else ''}" for x, needs in named]

    def gives_finite(self, values: Sequence[Any]) -> bool:
        """Whether the function takes these values, and all its outputs are finite."""
        try:
            return all(bool(y.isfinite().all()) for y in self.outputs(self.arguments(values=values)))
        except Exception:  # refused
            return False

    @cached_property
    def eps(self) -> float:
        """Of the coarsest dtype that the function, or an argument, is rounded to."""
        dtypes = [x.dtype for x in (*self.plain[0], *(self.values[i] for i in self.differentiable))]
        coarsest = self.operations.coarsest
        return max(map(eps_of, [*dtypes, *([coarsest] if coarsest else [])]))

    @cached_property
    def operations(self) -> Operations:
        """Those of the forward pass."""
        with Operations() as operations:
            self.outputs(self.arguments())
        return operations

    @cached_property
    def noise(self) -> tuple[list[float], list[float]]:
        """How far outputs and gradients move where the inputs move by a few roundings, one number each."""
        return self.moves(self.values)

    def moves(self, values: Sequence[Any]) -> tuple[list[float], list[float]]:
        """The same at other values, by the roundings of their dtype; for two grad_outputs."""
        far: list[list[list[float]]] = [[], []]
        for seed in (0, 5):
            near = list(values)
            leaves = nudged([values[i] for i in self.differentiable], seed)
            for i, leaf in zip(self.differentiable, leaves, strict=True):
                near[i] = leaf
            v = self.grad_outputs(self.outputs(self.arguments(needs=(), values=values)), seed)
            moved, plain = (self.run(self.arguments(values=x), v) for x in (near, values))
            for part, a, b in zip(far, moved, plain, strict=True):
                part.append([_distance(*pair) for pair in zip(a, b, strict=True)])
        outputs, gradients = ([max(pair) for pair in zip(*part, strict=True)] for part in far)
        return outputs, gradients

    @cached_property
    def report(self) -> Report:
        """The verdict of finite differences on the gradients."""
        return compare_gradients(self.point(self.values), tolerance=self.tolerance)

    def point(self, values: Sequence[Any]) -> Point:
        """The function at some values, the gradients by its backward pass, the differences its surrogate's."""
        fn, surrogate = self.along_kinds(self.fn), self.surrogate and self.along_kinds(self.surrogate)
        return Point(surrogate or fn, self.arguments(values=values), self.names, formula=fn)

    def along_kinds(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """The function along the kinds of its arguments."""
        within = self.within
        return fn if within is None else lambda *arguments: fn(*within(arguments))

    def assert_same_values(self, found: Sequence[Tensor], expected: Sequence[Tensor], sentence: str) -> None:
        self.assert_same(found, expected, sentence, noise=lambda: self.noise[0])

    def assert_same_gradients(
        self,
        found: Sequence[Tensor],
        expected: Sequence[Tensor],
        sentence: str,
        precision: float = 1e-9,
        of: Sequence[int] | None = None,
    ) -> None:
        """Gradients of the arguments ``of``, by default of all that are differentiated by."""
        of = self.differentiable if of is None else of

        def noise() -> list[float]:
            return [self.noise[1][self.differentiable.index(i)] for i in of]

        self.assert_same(found, expected, sentence, precision, noise, [f"of {self.names[i]}" for i in of])

    def assert_same(
        self,
        found: Sequence[Tensor],
        expected: Sequence[Tensor],
        sentence: str,
        precision: float = 1e-9,
        noise: Callable[[], Sequence[float]] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        """Equal to rounding, in units of the largest element or of what the inputs' rounding does; NaN equals NaN."""
        for k, (a, b) in enumerate(zip(found, expected, strict=True)):
            if a.shape != b.shape:
                raise GradientCheckError(f"{sentence}: shapes {tuple(a.shape)} and {tuple(b.shape)}")
            if not a.numel() or torch.equal(a, b):
                continue
            eps = max(eps_of(t.dtype) for t in (a, b) if t.is_floating_point())
            a, b = a.detach().double(), b.detach().double()
            if _is_near(a, b, precision, eps, 0.0).all():
                continue
            same = _is_near(a, b, max(precision, 64 * self.eps), self.eps, noise()[k] if noise else 0.0)
            if not same.all():
                i = tuple(int(j) for j in (~same).nonzero()[0])
                which = names[k] if names else str(k)
                raise GradientCheckError(
                    f"{sentence}: {float(a[i]):.6g} against {float(b[i]):.6g} at {list(i)} {which}"
                )


def _is_near(a: Tensor, b: Tensor, precision: float, eps: float, noise: float) -> Tensor:
    """Element by element: within a precision of the largest, the noise, or the rounding of terms that cancel, which are
    about 1, for grad_output is."""
    finite = a.isfinite() & b.isfinite()
    size = b[finite].abs().max() if finite.any() else torch.zeros((), dtype=torch.float64, device=b.device)
    if noise > 1e-3 * size:  # ill-conditioned: a tie, or a matrix that is nearly singular
        return torch.ones_like(finite)
    near = (a - b).abs() <= precision * size + 64 * noise + 16 * eps
    return torch.where(finite, near, (a == b) | (a.isnan() & b.isnan()))


def _distance(a: Tensor, b: Tensor) -> float:
    """Of b from a; infinite where a is not finite and b is."""
    if a.shape != b.shape or not a.numel():
        return 0.0
    return float((a - b).abs().where(a.isfinite(), torch.inf).where(b.isfinite(), 0.0).max())
