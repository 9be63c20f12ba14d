"""What a check finds: a verdict, and for what is wrong the element, both values and the bound."""

from dataclasses import dataclass, field


class GradientCheckError(AssertionError):
    """A gradient, or something else that a differentiable function owes its users, is wrong."""

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
        numerical: by differences.
        bound: of the difference of the two.
        hint: what to look at.
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
