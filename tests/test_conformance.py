"""The contract of the hand-written Functions: whatever torch's own operator can do, ours does, and as exactly."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from cs224d_l3._function import Function
from evidence.conformance import DTYPES, EAGER, TRACED, measure, measure_saved, measure_traced
from evidence.operations import LAYOUTS, OPERATIONS

# what torch's own operator refuses on a batch of nothing
REFUSED = {
    ("embedding", "second order"),
    ("embedding", "jacrev"),
    ("window_margin_loss", "second order"),
    ("window_softmax_loss", "second order"),
    ("max_margin_loss", "hessian"),
    ("softmax_cross_entropy", "hessian"),
    ("softmax_cross_entropy, probabilities", "hessian"),
    ("softmax_cross_entropy, probabilities", "jacfwd"),
    ("l2_penalty", "jacfwd"),
    ("l2_penalty", "hessian"),
    *((name, "jacfwd twice") for name in ("max_margin_loss", "softmax_cross_entropy", "l2_penalty")),
    ("affine_softmax_cross_entropy", "jacfwd twice"),
}


QUICK = {"forward", "backward", "forward mode"}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.filterwarnings("ignore")  # torch's, of its own operators: slow batching rules, deprecated casts
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("transform", [t if t in QUICK else pytest.param(t, marks=pytest.mark.long) for t in EAGER])
@pytest.mark.parametrize("name", OPERATIONS)
def test_as_exact_as_torch_in_every_type_and_layout(name: str, transform: str, device: str) -> None:
    for layout in LAYOUTS:
        for dtype in DTYPES:
            error = measure(name, transform, dtype, layout, device)
            if error is None:
                assert layout == "empty"
                assert (name, transform) in REFUSED
            else:
                assert error.ok, (layout, dtype, error)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("how", TRACED)
@pytest.mark.parametrize("name", OPERATIONS)
def test_compiled_and_exported(name: str, how: str, device: str) -> None:
    if how == "compile of func" and torch.__version__ < "2.9":
        pytest.skip("Dynamo of this torch cannot be asked whether a transform is at work")
    assert measure_traced(name, how, device=device).ok


@pytest.mark.parametrize("name", OPERATIONS)
def test_keeps_no_more_than_torch(name: str) -> None:
    ours, torchs = measure_saved(name)
    assert ours <= 1.01 * torchs  # a mask of ignored targets, a byte a row, is the hundredth


def watch(monkeypatch: pytest.MonkeyPatch, rule: str, factor: float = 1.0) -> set[str]:
    """Scale every Function's own rule; the names of those that ran."""
    ran = set()
    for function in Function.__subclasses__():
        if (right := vars(function.with_jvp).get(rule) or vars(function).get(rule)) is None:
            continue

        def scaled(*args: Any, name: str = function.__name__, right: Callable[..., Any] = right.__func__) -> Any:
            ran.add(name)
            found = right(*args)
            return factor * found if isinstance(found, Tensor) else tuple(g if g is None else factor * g for g in found)

        monkeypatch.setattr(function.with_jvp, rule, staticmethod(scaled))
    return ran


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("rule", "transform"), [("backward", "backward"), ("jvp", "forward mode")])
def test_a_thousandth_shows_in_every_row(rule: str, transform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = watch(monkeypatch, rule, 1.001)
    for name in OPERATIONS:
        error = measure(name, transform, torch.float64, "contiguous")
        assert error is not None
        assert not error.ok, name
    by_composition = {"_AffineSoftmaxCrossEntropy", "_WindowMargin", "_WindowSoftmax"} if rule == "jvp" else set()
    assert ran == {f.__name__ for f in Function.__subclasses__()} - by_composition
