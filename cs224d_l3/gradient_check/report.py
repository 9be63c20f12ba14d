"""Reports: the verdict on one point, the outcome of one property at one call, the account of a whole function."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from torch import Tensor


class GradientCheckError(AssertionError):
    """A gradient is wrong, or another property of a differentiable function does not hold."""

    def __init__(self, message: str, report: "Report | None" = None) -> None:
        super().__init__(message)
        self.report = report


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
    """

    argument: str
    index: tuple[int, ...] | None
    analytical: float
    numerical: float
    bound: float
    hint: str = ""

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
    """The outcome of one property at one call, with the reason where it is not "passed".

    A violation is not returned: it is raised as GradientCheckError, for hypothesis to shrink.
    """

    verdict: Literal["passed", "not applicable", "not supported"]
    reason: str = ""


PASSED = Outcome("passed")


def not_applicable(reason: str) -> Outcome:
    return Outcome("not applicable", reason)


def not_supported(reason: object) -> Outcome:
    """The function does not offer this, and says so."""
    return Outcome("not supported", str(reason))


@dataclass
class FunctionReport:
    """The account of :func:`~cs224d_l3.gradient_check.check_function`.

    Attributes:
        name: of the function.
        runs: how often each check passed.
        unsupported: checks that the function does not support, with the reason it gives.
        skipped: checks left out on demand.
    """

    name: str
    runs: dict[str, int] = field(default_factory=dict)
    unsupported: dict[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.name}: ok"]
        for check, runs in self.runs.items():
            if check in self.unsupported:
                lines.append(f"  {check:26} not supported: {self.unsupported[check][:80]}")
            elif check in self.skipped:
                lines.append(f"  {check:26} skipped")
            else:
                lines.append(f"  {check:26} ok in {runs} calls")
        return "\n".join(lines)


def call_as_code(name: str, tensors: Mapping[str, Tensor], constants: Mapping[str, Any]) -> list[str]:
    """Lines of Python that make a call again."""
    lines = []
    for key, x in tensors.items():
        grad = ", requires_grad=True" if x.is_floating_point() else ""
        value = f"tensor({x.tolist()}" if x.numel() else f"empty({tuple(x.shape)}"
        lines.append(f"{key} = torch.{value}, dtype={x.dtype}{grad})")
    keywords = "".join(f", {key}={value!r}" for key, value in constants.items())
    return [*lines, f"{name}({', '.join(tensors)}{keywords})"]
