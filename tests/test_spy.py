"""The spy on backward passes: it sees them, leaves nothing behind, and says so where it is blind."""

from typing import Any

import pytest
import torch
from torch import Tensor

from cs224d_l3.gradient_check import check_function, spy
from cs224d_l3.gradient_check.properties import PROPERTIES


class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        return 2 * grad_output


class DoubleByVjp(torch.autograd.Function):
    """``vjp`` is torch's other name for ``backward``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def vjp(ctx: Any, grad_output: Tensor) -> Tensor:
        return 2 * grad_output


@pytest.mark.parametrize("function", [Double, DoubleByVjp])
def test_backward_passes_are_counted_and_left_as_they_were(function: type[torch.autograd.Function]) -> None:
    before = dict(vars(function))
    y = function.apply(function.apply(torch.ones(2, requires_grad=True))).sin()
    with spy.spied([y]) as seen:
        y.sum().backward()
    assert seen == spy.Seen(calls=2)
    assert dict(vars(function)) == before


def test_functions_by_vjp_are_checked() -> None:
    report = check_function(DoubleByVjp.apply, "x=n", examples=1, skip=PROPERTIES.keys() - {"no_mutation"})
    assert report.runs["no_mutation"] > 0


def test_a_node_without_its_function_is_found_by_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    class Node:
        pass

    monkeypatch.setattr(Double, "_backward_cls", Node)
    assert spy.function_of(Node()) is Double
    assert spy.function_of(torch.ones(1, requires_grad=True).sin().grad_fn) is None


def test_a_blind_spy_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    spy.assert_spy_sees.__wrapped__()
    monkeypatch.setattr(spy, "function_of", lambda node: None)
    with pytest.raises(RuntimeError, match="calls=0"):
        spy.assert_spy_sees.__wrapped__()
