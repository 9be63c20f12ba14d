"""1.4 The max-margin objective, against torch's margin_ranking_loss."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cs224d_l3 import MaxMarginLoss, max_margin_loss
from helpers import assert_same_gradients, leaves, normal, seeds

reductions = st.sampled_from(["mean", "sum", "none"])


def torchs(margin: float, reduction: str):
    return lambda s, s_c: F.margin_ranking_loss(s, s_c, torch.ones_like(s), margin, reduction=reduction)


@given(drawn=leaves("s=..., s_c=..."), margin=st.floats(0, 3), reduction=reductions)
def test_loss_is_torchs_margin_ranking_loss(drawn: list[Tensor], margin: float, reduction: str) -> None:
    if reduction == "mean" and not drawn[0].numel():
        return  # nan, in torch as here
    assert_same_gradients(lambda s, s_c: max_margin_loss(s, s_c, margin, reduction), torchs(margin, reduction), *drawn)


def test_a_pair_exactly_on_the_margin_counts_as_violated() -> None:
    s, s_c = torch.tensor([2.0, 3.0], requires_grad=True), torch.tensor([1.0, 1.0], requires_grad=True)
    assert_same_gradients(lambda s, s_c: max_margin_loss(s, s_c), torchs(1.0, "mean"), s, s_c)


@given(seed=seeds, margin=st.floats(0, 2))
def test_a_pair_with_its_margin_teaches_nothing(seed: int, margin: float) -> None:
    s = normal(5, seed=seed)
    s_c = (s - margin - 0.1).detach().requires_grad_()
    J = max_margin_loss(s, s_c, margin, "sum")
    J.backward()
    assert J == 0
    assert s.grad is not None
    assert s_c.grad is not None
    assert not s.grad.any()
    assert not s_c.grad.any()


@given(seed=seeds, shift=st.floats(-5, 5))
def test_loss_depends_on_the_difference_of_scores_alone(seed: int, shift: float) -> None:
    s, s_c = normal(6, seed=seed), normal(6, seed=seed + 1)
    torch.testing.assert_close(max_margin_loss(s + shift, s_c + shift), max_margin_loss(s, s_c))


def test_one_true_window_against_several_corrupt_ones() -> None:
    s, s_c = normal(3, 1), normal(3, 4, seed=1)
    assert_same_gradients(lambda s, c: max_margin_loss(s, c, 1.0, "none"), torchs(1.0, "none"), s, s_c)


def test_module_is_the_function() -> None:
    s, s_c = normal(4), normal(4, seed=1)
    assert torch.equal(MaxMarginLoss(0.5, "sum")(s, s_c), max_margin_loss(s, s_c, 0.5, "sum"))
    assert repr(MaxMarginLoss(0.5)) == "MaxMarginLoss(margin=0.5, reduction='mean')"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: max_margin_loss(s, torch.zeros(4)), ValueError, r"s_c.*\(4,\)"),
        (lambda s: max_margin_loss(s, torch.zeros(3, 1)), ValueError, r"s_c.*\(3, 1\)"),
        (lambda s: max_margin_loss(s, s, -1), ValueError, "margin.*-1"),
        (lambda s: max_margin_loss(s, s, math.inf), ValueError, "margin.*inf"),
        (lambda s: max_margin_loss(s, s, 1, "avg"), ValueError, "reduction.*'avg'"),
        (lambda s: max_margin_loss(s, 1.0), TypeError, r"s_c.*\bfloat\b"),
        (lambda s: MaxMarginLoss(reduction="all"), ValueError, "reduction.*'all'"),
    ],
)
def test_loss_names_what_is_wrong(call, error: type[Exception], message: str) -> None:
    s: Tensor = torch.zeros(3)
    with pytest.raises(error, match=message):
        call(s)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_margin_is_not_lost_beside_large_scores(dtype: torch.dtype) -> None:
    s = torch.tensor([torch.finfo(dtype).max / 8], dtype=dtype)
    assert max_margin_loss(s, s).item() == 1


def test_bad_pairs_of_types_are_named() -> None:
    with pytest.raises(ValueError, match=r"s_c.*\(3, 2\)"):
        max_margin_loss(torch.zeros(2, 1), torch.zeros(3, 2))
