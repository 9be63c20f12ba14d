"""Calls drawn by hypothesis, and the search of a smaller one that fails. Needs hypothesis."""

import contextlib
from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from . import strategies
from .declaration import Declaration
from .inputs import Inputs

DERANDOMIZED = {
    "derandomize": True,
    "database": None,
    "deadline": None,
    "report_multiple_bugs": False,
    "suppress_health_check": list(HealthCheck),
}


def has_strategy(declared: Declaration) -> bool:
    return any(isinstance(a.given, st.SearchStrategy) for a in declared.arguments)


def each(declared: Declaration, examples: int, sizes: Sequence[int] | None, check: Callable[[Inputs], None]) -> None:
    """So many calls, the same in every run."""

    @settings(max_examples=examples, phases=(Phase.generate,), **DERANDOMIZED)  # type: ignore[arg-type]
    @given(strategies.inputs(declared, sizes or strategies.SIZES))
    def draw(inputs: Inputs) -> None:
        check(inputs)

    draw()


class _TimeIsOver(BaseException):
    """Ends a search: hypothesis lets it through."""


def smallest(
    declared: Declaration,
    sizes: Sequence[int] | None,
    fails: Callable[[Inputs], bool],
    is_over: Callable[[], bool],
    examples: int = 20,
) -> None:
    """Runs ``fails`` on smaller and smaller calls that fail, as hypothesis shrinks them."""

    @settings(max_examples=examples, phases=(Phase.generate, Phase.shrink), **DERANDOMIZED)  # type: ignore[arg-type]
    @given(strategies.inputs(declared, sizes or strategies.SIZES))
    def search(inputs: Inputs) -> None:
        if is_over():
            raise _TimeIsOver
        assert not fails(inputs)

    with contextlib.suppress(AssertionError, Flaky, _TimeIsOver):
        search()
