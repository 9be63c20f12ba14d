"""The softmax step in one Function, against the network and the loss that it is made of."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.func import grad, vmap

from cs224d_l3 import (
    UNITS,
    AdaGrad,
    WindowClassifier,
    affine,
    check_gradients,
    embedding,
    softmax_cross_entropy,
    tanh,
    window_softmax_loss,
)
from helpers import gradients, normal, seeds, sizes, unit_names

V, D, K, M, T, B = 9, 3, 5, 4, 3, 6


def thetas(d: int = D, k: int = K, m: int = M, seed: int = 0, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    shapes = ((V, d), (m, k * d), (m,), (T, m), (T,))
    return [normal(*shape, seed=seed + i, dtype=dtype) for i, shape in enumerate(shapes)]


def words(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(V, shape, generator=generator), torch.randint(T, shape[:-1], generator=generator)


def composed(windows: Tensor, target: Tensor, f: Callable[..., Tensor] = tanh, *args: Any) -> Callable[..., Tensor]:
    def J(L: Tensor, W: Tensor, b: Tensor, U: Tensor, c: Tensor) -> Tensor:
        z = affine(f(affine(embedding(windows, L).flatten(-2), W, b)), U, c)
        return softmax_cross_entropy(z, target, *args)

    return J


def fused(windows: Tensor, target: Tensor, f: Callable[..., Tensor] = tanh, *args: Any) -> Callable[..., Tensor]:
    return lambda *theta: window_softmax_loss(windows, target, *theta, f, *args)


@given(
    st.sampled_from(["mean", "sum", "none"]),
    st.lists(st.integers(1, 3), max_size=2).map(tuple),
    sizes,
    sizes,
    unit_names,
    seeds,
)
def test_it_is_its_parts(reduction: str, leading: tuple[int, ...], d: int, k: int, unit: str, seed: int) -> None:
    batch, theta = words(*leading, k, seed=seed), thetas(d, k, 2, seed)
    calls = [make(*batch, UNITS[unit].f, reduction) for make in (fused, composed)]
    torch.testing.assert_close(calls[0](*theta), calls[1](*theta))
    for order in (1, 2):
        for a, b in zip(*(gradients(call, *theta, order=order) for call in calls), strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.long
def test_gradients_with_features_and_dropout_are_those_of_what_is_left() -> None:
    batch, kinds, C = words(B, 3), torch.randint(2, (2, B, 3)), [normal(2, 1), normal(2, 2, seed=5)]
    theta = [thetas(2, 3, 2)[0], *thetas(5, 3, 2)[1:], *C]

    def J(L: Tensor, W: Tensor, b: Tensor, U: Tensor, c: Tensor, *C: Tensor) -> Tensor:
        torch.manual_seed(0)
        return window_softmax_loss(*batch, L, W, b, U, c, features=list(kinds), C=C, dropout=0.4)

    check_gradients(J, theta, order=2)


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (3,), (4,), (0, 3)])
def test_some_of_the_parameters(wanted: tuple[int, ...]) -> None:
    batch = words(B, K)
    theta = [t.detach().requires_grad_(i in wanted) for i, t in enumerate(thetas())]
    for a, b in zip(gradients(fused(*batch), *theta), gradients(composed(*batch), *theta), strict=True):
        torch.testing.assert_close(a, b)


def test_a_sparse_gradient_holds_the_rows_that_were_read() -> None:
    batch, theta = words(B, K), thetas()
    (dL,) = torch.autograd.grad(window_softmax_loss(*batch, *theta, sparse=True), theta[0])
    assert dL.is_sparse
    assert torch.equal(dL.coalesce().indices()[0], batch[0].unique())
    torch.testing.assert_close(dL.to_dense(), torch.autograd.grad(fused(*batch)(*theta), theta[0])[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_in_lower_precision(dtype: torch.dtype) -> None:
    batch, theta = words(64, K), thetas()
    low = [t.detach().to(dtype).requires_grad_() for t in theta]
    high = [t.detach().double().requires_grad_() for t in low]
    J, expected = fused(*batch)(*low), composed(*batch)(*high)
    assert J.dtype == dtype
    torch.testing.assert_close(J.double(), expected, rtol=8 * torch.finfo(dtype).eps, atol=0)
    pairs = zip(torch.autograd.grad(J, low), torch.autograd.grad(expected, high), strict=True)
    for a, b in pairs:
        assert (a.double() - b).abs().max() <= 32 * torch.finfo(dtype).eps * b.abs().max()


def test_under_torch_func() -> None:
    batch, theta = words(B, K), tuple(t.detach() for t in thetas())
    right = grad(composed(*batch), (0, 1, 2, 3, 4))(*theta)
    for a, b in zip(grad(fused(*batch), (0, 1, 2, 3, 4))(*theta), right, strict=True):
        torch.testing.assert_close(a, b)
    each = vmap(lambda w, t: window_softmax_loss(w, t, *theta))(*batch)
    torch.testing.assert_close(each, window_softmax_loss(*batch, *theta, reduction="none"))


def test_it_is_what_the_classifier_trains_with() -> None:
    batch = words(40, K)
    models = [WindowClassifier(V, T, D, K, M, sparse=sparse).double() for sparse in (True, False)]
    models[1].load_state_dict(models[0].state_dict())
    for i, model in enumerate(models):
        optimizer = AdaGrad(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            (model.loss(*batch) if i == 0 else softmax_cross_entropy(model(batch[0]), batch[1])).backward()
            optimizer.step()
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_classifier_has_dropout_and_any_unit() -> None:
    batch = words(7, K)
    dropping = WindowClassifier(V, T, D, K, M, dropout=0.5)
    assert dropping.loss(*batch) != dropping.loss(*batch)
    dropping.eval()
    torch.testing.assert_close(dropping.loss(*batch), softmax_cross_entropy(dropping(batch[0]), batch[1]))
    custom = WindowClassifier(V, T, D, K, M, f=torch.sin)
    assert custom.loss(*batch) == softmax_cross_entropy(custom(batch[0]), batch[1])


def test_bad_input_is_named() -> None:
    theta, (windows, target) = thetas(), words(B, K)
    with pytest.raises(ValueError, match=rf"target.*\({B},\).*\(2,\)"):
        window_softmax_loss(windows, target[:2], *theta)
    with pytest.raises(ValueError, match=r"\bW\b.*\b15\b"):
        window_softmax_loss(windows[:, :4], target, *theta)
    with pytest.raises(IndexError, match=r"windows.*\b9\b"):
        window_softmax_loss(torch.full_like(windows, 9), target, *theta)
    with pytest.raises(IndexError, match=r"target.*\b3\b"):
        window_softmax_loss(windows, target * 0 + 3, *theta)
    with pytest.raises(ValueError, match=r"\bf\b.*<built-in"):
        window_softmax_loss(windows, target, *theta, torch.tanh)
    with pytest.raises(ValueError, match="features and C.*1 and 0"):
        window_softmax_loss(windows, target, *theta, features=windows)
    with pytest.raises(ValueError, match=r"dropout.*1\.0"):
        window_softmax_loss(windows, target, *theta, dropout=1.0)
    with pytest.raises(ValueError, match="reduction.*'men'"):
        window_softmax_loss(windows, target, *theta, reduction="men")
