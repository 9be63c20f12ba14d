"""The fused loss, against its composition and against torch."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import cs224d_l3.fused_softmax
from cs224d_l3 import affine_softmax_cross_entropy
from helpers import EPS, assert_same_gradients, normal


@pytest.fixture
def blocks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cs224d_l3.fused_softmax, "ROWS", 2)


@pytest.mark.usefixtures("blocks_of_two")
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_fused_loss_is_the_composition(reduction: str, label_smoothing: float, biased: bool, order: int) -> None:
    target = torch.tensor([[3, 0, -100], [1, 1, 2]])
    options: dict[str, Any] = {"reduction": reduction, "label_smoothing": label_smoothing}
    inputs = [normal(2, 3, 5), normal(4, 5, seed=1), *([normal(4, seed=2)] if biased else [])]
    assert_same_gradients(
        lambda x, W, b=None: affine_softmax_cross_entropy(x, W, b, target, **options),
        lambda x, W, b=None: F.cross_entropy(F.linear(x, W, b).movedim(-1, 1), target, **options),
        *inputs,
        order=order,
    )


@pytest.mark.usefixtures("blocks_of_two")
@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True)])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_fused_loss_for_some_of_its_inputs(reduction: str, wanted: tuple[bool, ...]) -> None:
    target = torch.tensor([3, 0, 1])
    inputs = [normal(3, 5), normal(4, 5, seed=1), normal(4, seed=2)]
    assert_same_gradients(
        lambda x, W, b: affine_softmax_cross_entropy(x, W, b, target, reduction),
        lambda x, W, b: F.cross_entropy(F.linear(x, W, b), target, reduction=reduction),
        *(t.detach().requires_grad_(w) for t, w in zip(inputs, wanted, strict=True)),
        order=1,
    )


class Largest(TorchDispatchMode):
    """The elements of the largest tensor that any operator makes."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for t in out if isinstance(out, tuple) else (out,):
            self.elements = max(self.elements, t.numel() if isinstance(t, torch.Tensor) else 0)
        return out


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_fused_loss_never_holds_all_scores(reduction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    B, n, K, rows = 96, 3, 50, 8
    monkeypatch.setattr(cs224d_l3.fused_softmax, "ROWS", rows)
    target = torch.arange(B) % K
    x, W, b = (torch.nn.Parameter(normal(*shape)) for shape in ((B, n), (K, n), (K,)))
    with Largest() as largest:
        affine_softmax_cross_entropy(x, W, b, target, reduction).sum().backward()
    assert largest.elements == rows * K  # not B K


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_fused_sums_are_kept_in_float32(dtype: torch.dtype) -> None:
    """The bias gradient of 20,000 examples, p - 1 and p by turns: a sum in half precision would stop growing."""
    x, W = torch.zeros(20_000, 1, dtype=dtype), torch.zeros(2, 1, dtype=dtype)
    b = torch.tensor([0.0, 1.0], dtype=dtype, requires_grad=True)
    target = (torch.arange(20_000) % 4 == 0).long()
    J = affine_softmax_cross_entropy(x, W, b, target)
    (found,) = torch.autograd.grad(J, b)
    exact = b.detach().double().requires_grad_()
    right = F.cross_entropy(exact.expand(20_000, 2), target)
    (gradient,) = torch.autograd.grad(right, exact)
    assert J.dtype == found.dtype == dtype
    torch.testing.assert_close(J.double(), right, rtol=2 * EPS[dtype], atol=0)
    torch.testing.assert_close(found.double(), gradient, rtol=4 * EPS[dtype], atol=0)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_fused_loss_may_be_differentiated_again(reduction: str) -> None:
    """The first backward pass gives its gradients away; the second makes them anew, for another incoming gradient."""
    thetas = [normal(5, 3), normal(4, 3, seed=1), normal(4, seed=2)]
    J = affine_softmax_cross_entropy(*thetas, torch.tensor([0, 3, -100, 1, 1]), reduction)
    first = torch.autograd.grad(J, thetas, retain_graph=True)
    kept = [g.clone() for g in first]
    second = torch.autograd.grad(J, thetas, 3 * torch.ones_like(J), retain_graph=True)
    for g in first:
        g.zero_()
    third = torch.autograd.grad(J, thetas)
    for a, b, c in zip(kept, second, third, strict=True):
        torch.testing.assert_close(b, 3 * a)
        torch.testing.assert_close(c, a)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_fused_weight_gradients_of_many_blocks_in_half_precision(dtype: torch.dtype) -> None:
    """Three blocks whose sums float16 cannot hold, while their mean it can."""
    x = torch.full((1500, 3), 200.0, dtype=dtype)
    W = normal(4, 3, dtype=dtype)
    target = (torch.arange(1500) % 3 == 0).long()
    (found,) = torch.autograd.grad(affine_softmax_cross_entropy(x, W, None, target), W)
    exact = W.detach().double().requires_grad_()
    (right,) = torch.autograd.grad(F.cross_entropy(F.linear(x.double(), exact), target), exact)
    torch.testing.assert_close(found.double(), right, rtol=8 * EPS[dtype], atol=8 * EPS[dtype])


def test_fused_loss_that_nobody_asks_about() -> None:
    class Stop(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, J: torch.Tensor) -> torch.Tensor:
            return J.clone()

        @staticmethod
        def backward(ctx: Any, _: torch.Tensor) -> None:
            return None

    for reduction in ("mean", "sum", "none"):
        x, W = normal(2, 3), normal(4, 3, seed=1)
        Stop.apply(affine_softmax_cross_entropy(x, W, None, torch.tensor([0, 1]), reduction)).sum().backward()
        assert x.grad is None
        assert W.grad is None


def test_an_ignored_row_spoils_nothing() -> None:
    x = torch.tensor([[1.0, 2.0], [torch.nan, 0.0], [0.5, 1.0]])
    W, target = torch.eye(2), torch.tensor([0, -100, 1])
    for reduction in ("mean", "sum", "none"):
        found = affine_softmax_cross_entropy(x, W, None, target, reduction)
        torch.testing.assert_close(found, F.cross_entropy(x @ W.T, target, reduction=reduction).nan_to_num(0))


def test_fused_loss_at_far_scores() -> None:
    x = torch.tensor([[1e4], [1e30]], dtype=torch.float64, requires_grad=True)
    W = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    J = affine_softmax_cross_entropy(x, W, None, torch.tensor([1, 0]), "none")
    assert J.tolist() == [2e4, 0.0]
    (g,) = torch.autograd.grad(J.sum(), x)
    assert g.tolist() == [[2.0], [0.0]]


def test_fused_loss_names_what_is_wrong() -> None:
    x, W, b = torch.zeros(2, 3), torch.zeros(4, 3), torch.zeros(4)
    with pytest.raises(IndexError, match=r"target.*\b4\b"):
        affine_softmax_cross_entropy(x, W, b, torch.tensor([0, 4]))
    with pytest.raises(ValueError, match=r"\bW\b.*\(4, 2\)"):
        affine_softmax_cross_entropy(x, W[:, :2], b, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"target.*\(3,\)"):
        affine_softmax_cross_entropy(x, W, b, torch.tensor([0, 1, 2]))
