"""Reports: the verdict on one point, the outcome of one property at one call, the account of a whole function."""

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


class Shown(NamedTuple):
    """Code that shows what a check does: before the call, and after it in place of the check's own.

    ``{y}``, ``{v}`` and ``{leaves}`` stand for the output, grad_output and the tensors that require a gradient.
    """

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@contextlib.contextmanager
def showing(before: Iterable[str] = (), after: Iterable[str] = ()) -> Iterator[None]:
    """Whatever is raised inside is shown by this code."""
    try:
        yield
    except Exception as error:
        error.__dict__.setdefault("shown", Shown(tuple(before), tuple(after)))
        raise


class GradientCheckError(AssertionError):
    """A gradient is wrong, or another property of a differentiable function does not hold.

    Attributes:
        report: the account of all that was checked.
        at_others: whether it shows at the other values of a call.
    """

    def __init__(self, message: str, report: Any = None, at_others: bool = False) -> None:
        super().__init__(message)
        self.report, self.at_others = report, at_others


class Failure(NamedTuple):
    """What is wrong, at which call; the code that shows it, and which of the two grad_outputs of finite differences."""

    sentence: str
    inputs: Any
    shown: Shown = Shown()
    grad_output: int = 0

    def is_like(self, other: "Failure") -> bool:
        """Whether it may be the same fault: the sentence begins with the same words."""
        return _words(self.sentence) == _words(other.sentence)


def _words(sentence: str) -> list[str]:
    return re.sub(r"[^A-Za-z_ ]+\S*", " ", sentence).split()[:6]


@dataclass(frozen=True)
class Finding:
    """One element of one gradient that lies outside its bound.

    Attributes:
        argument: the input it belongs to.
        index: the element; None for several together, whose sum is wrong.
        analytical: by the backward pass.
        numerical: by finite differences.
        bound: of the difference of the two.
        hint: the likely mistake.
        grad_output: which of them shows it, by position.
    """

    argument: str
    index: tuple[int, ...] | None
    analytical: float
    numerical: float
    bound: float
    hint: str = ""
    grad_output: int = 0

    def __str__(self) -> str:
        at = (
            " along a direction" if self.index is None else f"[{', '.join(map(str, self.index))}]" if self.index else ""
        )
        return (
            f"d/d{self.argument}{at}: by formula {self.analytical:.10g}, by differences {self.numerical:.10g}"
            f" +- {self.bound:.1e}{'; ' if self.hint else ''}{self.hint}"
        )


@dataclass
class Report:
    """The verdict on one point.

    Attributes:
        verdict: "ok", "fail", or "inconclusive": nothing is wrong, and some elements lie on a kink or a jump or
            have no finite value, so that no difference can judge them.
        findings: the wrong elements, the worst first, a few of each argument.
        checked: derivatives that were judged.
        unjudged: derivatives that could not be.
    """

    verdict: str = "ok"
    findings: list[Finding] = field(default_factory=list)
    checked: int = 0
    unjudged: int = 0

    def __bool__(self) -> bool:
        return self.verdict != "fail"

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {self.checked} derivatives checked, {self.unjudged} not judged"]
        return "\n".join(lines + [f"  {finding}" for finding in self.findings])


class Outcome(NamedTuple):
    """The outcome of one check at one call, with the reason where it is not "passed".

    A violation is not returned: it is raised as GradientCheckError.
    """

    verdict: Literal["passed", "not applicable", "no verdict", "not supported"]
    reason: str = ""


PASSED = Outcome("passed")


def not_applicable(reason: str) -> Outcome:
    """The call has nothing of the kind that the check asks for."""
    return Outcome("not applicable", reason)


def no_verdict(reason: str) -> Outcome:
    """Nothing can be said at these values."""
    return Outcome("no verdict", reason)


def not_supported(reason: object) -> Outcome:
    """The function does not offer this, and says so."""
    return Outcome("not supported", str(reason))


@dataclass
class FunctionReport:
    """The account of :func:`~cs224d_l3.gradient_check.check_function`.

    Attributes:
        name: of the function.
        calls: calls made.
        runs: in how many of them each check compared something, and passed.
        reasons: why it did not in the others: by check, the reasons with their counts.
        unsupported: checks that the function does not support, with the reason it gives.
        skipped: checks left out on demand.
        refused: calls that the function refused, by what it raised.
        failures: by check, what is wrong and the smallest call found.
        unfinished: what the time did not suffice for.
    """

    name: str
    runs: dict[str, int] = field(default_factory=dict)
    unsupported: dict[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    calls: int = 0
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    unfinished: str = ""

    @property
    def never_applied(self) -> dict[str, str]:
        """Checks that compared nothing in any call, and were neither skipped nor unsupported; with the main reason."""
        silent = [c for c, n in self.runs.items() if not n and c not in (*self.skipped, *self.unsupported)]
        most = {c: self.reasons[c].most_common(1) for c in silent if c not in self.failures and c in self.reasons}
        return {c: most[c][0][0] if most.get(c) else "no call" for c in silent if c not in self.failures}

    def __str__(self) -> str:
        verdict = f"{len(self.failures)} of {len(self.runs)} checks fail" if self.failures else "ok"
        if 2 * sum(self.refused.values()) > self.calls:
            verdict += f", BUT {sum(self.refused.values())} OF {self.calls} CALLS WERE REFUSED BY THE FUNCTION"
        lines = [f"{self.name}: {verdict}", *(f"  {check:26} {self._line(check)}" for check in self.runs)]
        if self.refused:
            lines.append(f"  {sum(self.refused.values())} of {self.calls} calls refused by the function:")
            lines += [f"    {n} x {reason[:100]}" for reason, n in self.refused.most_common(3)]
        if self.unfinished:
            lines.append(f"  NOT FINISHED: {self.unfinished}")
        return "\n".join(lines)

    def _line(self, check: str) -> str:
        if check in self.failures:
            return "FAILED"
        if check in self.skipped:
            return "skipped"
        if check in self.unsupported:
            return f"not supported: {self.unsupported[check][:80]}"
        if check in (never := self.never_applied):
            return f"NEVER APPLIED: {never[check]}"
        others = "; ".join(f"{n} {reason}" for reason, n in self.reasons.get(check, Counter()).most_common(2))
        return f"ok in {self.runs[check]} of {self.calls} calls" + (f" (others: {others})" if others else "")
