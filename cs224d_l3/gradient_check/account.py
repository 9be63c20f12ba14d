"""The checks of one function: every property at every call, what came of it, and the smallest call where one fails."""

import functools
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten_with_path, tree_map, tree_unflatten

from .call import Call
from .declaration import NOT_GIVEN, Argument
from .inputs import PROJECTIONS, Inputs
from .listing import as_code
from .plain import as_plain
from .point import is_equal
from .properties import EXCUSES, PROPERTIES
from .report import Failure, FunctionReport, GradientCheckError, Shown

NOT_FINITE = "the value is not finite"
RANDOM = (
    "the same call gives another value the second time, so the function is non-deterministic or stateful (is it"
    " random, or does it remember earlier calls?); seed=0 sets torch's generator before every call"
)

RANDOM_BACKWARD = (
    "the backward pass draws random numbers, and gives another gradient the second time; seed=0 sets torch's generator"
    " before every forward and backward pass"
)


class NotUsableError(ValueError):
    """The function cannot be checked at all."""


@dataclass
class Account:
    """All checks of one function.

    Attributes:
        fn: the function, constants bound; ``shown`` is the one that was given, for messages.
        arguments: of a declaration, by name.
        dtype: of the floating-point arguments.
        seconds: after which no check is begun.
        tell: called before each check with its name, and a function that gives the call as code.
    """

    fn: Callable[..., Any]
    shown: Callable[..., Any]
    report: FunctionReport
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    reference: Callable[..., Any] | None = None
    surrogate: Callable[..., Any] | None = None
    tolerance: float = 0.0
    allow: frozenset[str] = frozenset()
    require: tuple[str, ...] = ()
    dtype: torch.dtype | None = None
    seconds: float | None = None
    tell: list[Callable[[str, Callable[[], str]], None]] = field(default_factory=list)
    failing: dict[str, Failure] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    # --------------------------------------------------------------------------------------------- calls

    def call_of(self, inputs: Inputs) -> Call:
        """The call, with its arguments' tensors in one row."""
        placed, spec = tree_flatten_with_path(inputs.values)
        others = None if inputs.others is None else [x for _, x in tree_flatten_with_path(inputs.others)[0]]
        names = ["".join(_step(key, k) for k, key in enumerate(path)) for path, _ in placed]
        arguments = [self.arguments.get(_step(path[0], 0)) for path, _ in placed]
        differentiable = []
        for i, ((_, x), argument) in enumerate(zip(placed, arguments, strict=True)):
            real = isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex())
            if real and (argument.is_differentiable if argument else x.requires_grad):
                differentiable.append(i)
        kinds = [a.kind if a else "" for a in arguments]
        plain = [as_plain(x) for _, x in placed]
        values = [x for x, _ in plain]

        def bind(fn: Callable[..., Any]) -> Callable[..., Any]:
            def flat(*leaves: Any) -> Any:
                arguments = tree_unflatten([of(x) for x, (_, of) in zip(leaves, plain, strict=True)], spec)
                keywords = {key: arguments.pop(key) for key in inputs.keywords}
                return fn(*arguments.values(), **keywords)

            return flat

        alike = [
            (i, j)
            for n, i in enumerate(differentiable)
            for j in differentiable[n + 1 :]
            if values[i].shape == values[j].shape and _may_stand_for(arguments[i], arguments[j])
        ]
        projected = [PROJECTIONS.get(kind) for kind in kinds]

        def within(leaves: Any) -> list[Any]:
            return [x if onto is None else onto(x) for x, onto in zip(leaves, projected, strict=True)]

        return Call(
            bind(self.fn),
            names,
            values,
            differentiable,
            None if others is None else [as_plain(x)[0] for x in others],
            inputs.ordinary,
            alike,
            kinds,
            within if any(projected) else None,
            self.reference and bind(self.reference),
            self.surrogate and bind(self.surrogate),
            self.tolerance,
            self.allow,
        )

    def _in_dtype(self, inputs: Inputs) -> Inputs:
        """With floating-point tensors of the dtype that is asked for."""

        def cast(x: Any) -> Any:
            if not (self.dtype and isinstance(x, Tensor) and x.is_floating_point()):
                return x
            return x.detach().to(self.dtype).requires_grad_(x.requires_grad)

        return inputs._replace(values=tree_map(cast, inputs.values), others=tree_map(cast, inputs.others))

    # --------------------------------------------------------------------------------------------- checks

    def check(self, inputs: Inputs, only: str | None = None) -> None:
        """Every check at one call; what fails is noted, with its call, and not checked again."""
        if only is None and ("call" in self.failing or self.is_over()):
            return
        self.report.calls += 1
        inputs = self._in_dtype(inputs)
        try:
            call = self.call_of(inputs)
            if not self._is_accepted(call):
                return
            _assert_differentiable(call)
        except GradientCheckError as error:
            self.failing["call"] = Failure(str(error), inputs)
            return
        if not self._has_gradients(call, inputs):
            return
        for name in list(self.report.runs) if only is None else [only] if only in PROPERTIES else []:
            if self._is_out(name) or (only is None and name in self.failing):
                continue
            for tell in self.tell:
                tell(name, functools.partial(self.code, name, Failure("", inputs)))
            if self.is_over():
                return
            self._check_property(name, call, inputs)

    def _is_out(self, name: str) -> bool:
        return name in self.report.skipped or (name in self.report.unsupported and name not in self.require)

    def _is_accepted(self, call: Call) -> bool:
        """Whether the function takes these arguments; if not, why goes into the report."""
        try:
            call.outputs(call.arguments())
            return True
        except Exception as error:
            sentence = f"raises {type(error).__name__}: {error}"
            hint = ""
            if "not differentiable with respect to" in sentence or "is not implemented" in sentence:
                hint = "; is it an argument that is not differentiated by? Declare it as data: 't=n data'"
            try:
                call.outputs(call.arguments(needs=()))
            except Exception:
                self.report.refused[sentence.splitlines()[0] + self._hint_at_dtype(call)] += 1
                return False
            raise GradientCheckError(f"{sentence}, where inputs require a gradient{hint}") from error

    def _hint_at_dtype(self, call: Call) -> str:
        """Whether a call that is refused in float64 is accepted in float32."""
        single = [x.float() if isinstance(x, Tensor) and x.dtype == torch.float64 else x for x in call.values]
        try:
            call.outputs(call.arguments(values=single))
        except Exception:
            return ""
        return "; it takes float32: dtype=torch.float32"

    def _has_gradients(self, call: Call, inputs: Inputs) -> bool:
        """Whether the backward pass goes through, where the forward pass did; no other check is made if not."""
        state = torch.get_rng_state()
        try:
            gradients = call.plain[1]
            draws = not torch.equal(torch.get_rng_state(), state)
            if draws and not all(all(map(is_equal, call.run()[1], gradients)) for _ in range(8)):
                self.failing["call"] = Failure(RANDOM_BACKWARD, inputs)
                return False
        except Exception as error:
            sentence = f"the backward pass raises {type(error).__name__}: {error}"
            self.failing.setdefault("backward", Failure(sentence, inputs))
            return False
        return True

    def _check_property(self, name: str, call: Call, inputs: Inputs) -> None:
        report = self.report
        if name != "finiteness" and not call.is_finite:
            report.reasons.setdefault(name, Counter())[NOT_FINITE] += 1
            return
        try:
            outcome = PROPERTIES[name](call)
        except GradientCheckError as error:
            if error.at_others and inputs.others is not None:
                inputs = inputs._replace(values=inputs.others, others=inputs.values)
            row = error.report.findings[0].grad_output if error.report is not None else 0
            self.failing[name] = Failure(str(error), inputs, getattr(error, "shown", Shown()), row)
            return
        except NotUsableError:
            raise
        except Exception as error:
            sentence = f"raises {type(error).__name__}: {error}"
            self.failing[name] = Failure(sentence, inputs, getattr(error, "shown", Shown()))
            return
        if outcome.verdict == "passed":
            report.runs[name] += 1
        elif outcome.verdict == "not supported":
            if name in self.require:
                self.failing[name] = Failure(f"not supported: {outcome.reason}", inputs)
            report.unsupported[name] = outcome.reason
        else:
            report.reasons.setdefault(name, Counter())[outcome.reason] += 1

    def is_over(self) -> bool:
        return self.seconds is not None and time.monotonic() - self.began > self.seconds

    # --------------------------------------------------------------------------------------------- failures

    def still_fails(self, name: str, inputs: Inputs) -> bool:
        """The check alone, on a call of its own; if it fails in the same way, this call replaces the one noted."""
        alone = replace(self, report=FunctionReport(self.report.name, {name: 0}), failing={}, seconds=None)
        alone.check(inputs, only=name)
        if name in alone.failing and alone.failing[name].is_like(self.failing[name]):
            self.failing[name] = alone.failing[name]
            return True
        return False

    def describe(self, name: str) -> str:
        """What is wrong, the smallest call found, and how to allow it."""
        failure = self.failing[name]
        sentence = failure.sentence
        if name != "call" and not self.still_fails(name, failure.inputs):
            sentence += "; by itself the call passes, so it depends on earlier calls"
        lines = [f"{self.report.name}, check {name!r}: {sentence}", "The smallest call found:"]
        lines += [f"    {line}" for line in self.code(name, failure).splitlines()]
        if name in EXCUSES:
            lines.append(f"If that is meant: {EXCUSES[name]}")
        return "\n".join(lines)

    def code(self, name: str, failure: Failure) -> str:
        """The call, and what the check does with it."""
        call = self.call_of(failure.inputs)
        return "\n".join(as_code(self.shown, self.report.name, failure, call, self.constants, name))

    def finish(self) -> FunctionReport:
        """The report; raises GradientCheckError where a check fails, or one that is required never applied."""
        report = self.report
        if not self.failing and report.refused and sum(report.refused.values()) == report.calls:
            most = report.refused.most_common(1)[0][0]
            raise GradientCheckError(f"{report.name}, check 'call': the function refuses every call: {most}", report)
        report.failures = {name: self.describe(name) for name in [*self.failing]}
        for name, reason in report.never_applied.items():
            if name in self.require:
                report.failures[name] = f"{report.name}, check {name!r}: required, and never applied: {reason}"
        if report.failures:
            several = f"{len(report.failures)} checks fail: {', '.join(report.failures)}"
            texts = [*report.failures.values(), *([several] if len(report.failures) > 1 else [])]
            raise GradientCheckError("\n\n".join(texts), report)
        return report


def _step(key: Any, depth: int) -> str:
    """A part of a tensor's name: x, x[0], x['h']."""
    inner = getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))
    return str(inner) if depth == 0 else f"[{inner!r}]"


def _may_stand_for(a: Argument | None, b: Argument | None) -> bool:
    if a is None or b is None:
        return True
    return a.given is b.given is NOT_GIVEN and (a.kind, a.low, a.high) == (b.kind, b.low, b.high)


def _assert_differentiable(call: Call) -> None:
    """The call gives tensors that have a gradient, and the same ones again."""
    first = call.outputs(call.arguments())
    if not first:
        out = call.fn(*call.arguments())
        raise NotUsableError(f"the function must return a floating-point tensor, got {out!r:.60}")
    if not any(y.requires_grad for y in first):
        raise GradientCheckError("the output does not depend on the inputs: its gradient is lost")
    for a, b in zip(first, call.outputs(call.arguments()), strict=True):
        if a.shape != b.shape or not torch.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True):
            raise GradientCheckError(RANDOM)
