"""Softmax cross-entropy, against torch's."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from cs224d_l3 import SoftmaxCrossEntropyLoss, affine_softmax_cross_entropy, softmax_cross_entropy
from helpers import assert_same_gradients, normal, seeds, sizes

reductions = st.sampled_from(["mean", "sum", "none"])


@given(batch=st.integers(1, 4), classes=sizes, reduction=reductions, seed=seeds)
def test_loss_is_torchs_cross_entropy(batch: int, classes: int, reduction: str, seed: int) -> None:
    z = normal(batch, classes, seed=seed)
    target = torch.randint(classes, (batch,), generator=torch.Generator().manual_seed(seed))
    assert_same_gradients(
        lambda z: softmax_cross_entropy(z, target, reduction),
        lambda z: F.cross_entropy(z, target, reduction=reduction),
        z,
    )


def test_classes_stand_last() -> None:
    z, target = normal(2, 3, 4), torch.tensor([[0, 1, 2], [3, 0, 1]])
    assert_same_gradients(
        lambda z: softmax_cross_entropy(z, target, "none"),
        lambda z: F.cross_entropy(z.movedim(-1, 1), target, reduction="none"),
        z,
    )


@given(seed=seeds, shift=st.floats(-1e4, 1e4))
def test_a_shift_of_all_scores_changes_nothing(seed: int, shift: float) -> None:
    z, target = normal(3, 4, seed=seed), torch.tensor([0, 3, 1])
    shifted = softmax_cross_entropy(z + shift, target)
    torch.testing.assert_close(shifted, softmax_cross_entropy(z, target), atol=1e-10, rtol=1e-7)


def test_far_scores_stay_finite() -> None:
    z = torch.tensor([[1e4, -1e4], [-1e30, 1e30]], dtype=torch.float64, requires_grad=True)
    J = softmax_cross_entropy(z, torch.tensor([1, 1]), "none")
    J.sum().backward()
    assert J.tolist() == [2e4, 0.0]
    assert z.grad is not None
    assert z.grad.tolist() == [[1.0, -1.0], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_large_scores_do_not_cancel(dtype: torch.dtype) -> None:
    z = torch.full((1, 2), torch.finfo(dtype).max / 8, dtype=dtype)
    torch.testing.assert_close(softmax_cross_entropy(z, torch.tensor([0])), torch.tensor(2.0).log().to(dtype))


def test_module_is_the_function() -> None:
    z, target = normal(3, 4), torch.tensor([0, 1, 2])
    assert torch.equal(SoftmaxCrossEntropyLoss("sum")(z, target), softmax_cross_entropy(z, target, "sum"))
    assert repr(SoftmaxCrossEntropyLoss()) == "SoftmaxCrossEntropyLoss(reduction='mean')"


@given(
    weighted=st.booleans(),
    probabilities=st.booleans(),
    label_smoothing=st.sampled_from([0.0, 0.3, 1.0]),
    reduction=reductions,
    seed=seeds,
)
def test_options_are_torchs(
    weighted: bool, probabilities: bool, label_smoothing: float, reduction: str, seed: int
) -> None:
    z, generator = normal(5, 4, seed=seed), torch.Generator().manual_seed(seed)
    target = torch.randint(4, (5,), generator=generator).where(torch.rand(5, generator=generator) < 0.7, 9)
    if probabilities:
        target = normal(5, 4, seed=seed + 1).detach().softmax(-1).requires_grad_()
    elif (target == 9).all():
        target[0] = 2
    weight = normal(4, seed=seed + 2, grad=False).abs() if weighted else None
    ignored = {} if probabilities else {"ignore_index": 9}
    assert_same_gradients(
        lambda z, q: softmax_cross_entropy(z, q, reduction, weight=weight, label_smoothing=label_smoothing, **ignored),
        lambda z, q: F.cross_entropy(
            z, q, reduction=reduction, weight=weight, label_smoothing=label_smoothing, **ignored
        ),
        z,
        target,
    )


def test_nothing_but_ignored_examples_is_nan_without_a_gradient() -> None:
    z, target = normal(2, 3), torch.tensor([-100, -100])
    x, W = normal(2, 4), normal(3, 4, seed=1)
    for J, inputs in [
        (softmax_cross_entropy(z, target), [z]),
        (affine_softmax_cross_entropy(x, W, None, target), [x, W]),
    ]:
        assert J.isnan()
        assert all((g == 0).all() for g in torch.autograd.grad(J, inputs))


def test_loss_names_what_is_wrong() -> None:
    z = torch.zeros(2, 3)
    with pytest.raises(IndexError, match=r"target.*\b3\b"):
        softmax_cross_entropy(z, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"target.*\(3,\)"):
        softmax_cross_entropy(z, torch.tensor([0, 1, 2]))
    with pytest.raises(TypeError, match=r"target.*torch\.float32"):
        softmax_cross_entropy(z, torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match="reduction.*'average'"):
        softmax_cross_entropy(z, torch.tensor([0, 1]), "average")
    with pytest.raises(ValueError, match=r"label_smoothing.*1\.5"):
        softmax_cross_entropy(z, torch.tensor([0, 1]), label_smoothing=1.5)
    with pytest.raises(ValueError, match=r"weight.*\(2,\)"):
        softmax_cross_entropy(z, torch.tensor([0, 1]), weight=torch.ones(2))


def test_the_mean_of_few_among_many_in_half_precision() -> None:
    z, target = normal(70_000, 3, dtype=torch.float16), torch.full((70_000,), -100)
    target[0] = 1
    J, right = softmax_cross_entropy(z, target), F.cross_entropy(z.double(), target)
    torch.testing.assert_close(J.double(), right, rtol=1e-3, atol=0)
    assert torch.autograd.grad(J, z)[0].isfinite().all()


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dtypes", [(torch.float32, torch.float64), (torch.bfloat16, torch.float32)])
def test_probabilities_promote_as_in_torch(dtypes: tuple[torch.dtype, torch.dtype], label_smoothing: float) -> None:
    z, q = normal(3, 4, dtype=dtypes[0]), normal(3, 4, seed=1).softmax(-1).to(dtypes[1])
    ours = softmax_cross_entropy(z, q, label_smoothing=label_smoothing)
    assert ours.dtype == F.cross_entropy(z, q, label_smoothing=label_smoothing).dtype
    assert torch.autograd.grad(ours, z)[0].dtype == z.dtype
