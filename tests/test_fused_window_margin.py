"""The max-margin step in one Function, against the network and the hinge that it is made of."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call, grad, vmap

from cs224d_l3 import (
    UNITS,
    AdaGrad,
    WindowScorer,
    check_gradients,
    corrupt,
    embedding,
    max_margin_loss,
    score,
    tanh,
    window_margin_loss,
)
from evidence.conformance import saved_bytes
from helpers import gradients, normal, seeds, sizes, unit_names

V, D, K, M, B = 9, 3, 5, 4, 6


def thetas(d: int = D, k: int = K, m: int = M, seed: int = 0, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    shapes = ((V, d), (m, k * d), (m,), (1, m))
    return [normal(*shape, seed=seed + i, dtype=dtype) for i, shape in enumerate(shapes)]


def words(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    true = torch.randint(V, shape, generator=generator)
    return true, torch.randint(V, shape, generator=generator)


def composed(true: Tensor, other: Tensor, f: Callable[..., Tensor] = tanh, *args: Any) -> Callable[..., Tensor]:
    def J(L: Tensor, W: Tensor, b: Tensor, U: Tensor) -> Tensor:
        s, s_c = (score(embedding(w, L).flatten(-2), W, b, U, f) for w in (true, other))
        return max_margin_loss(s, s_c, *args)

    return J


def fused(true: Tensor, other: Tensor, f: Callable[..., Tensor] = tanh, *args: Any) -> Callable[..., Tensor]:
    return lambda *theta: window_margin_loss(true, other, *theta, f, *args)


@given(
    st.sampled_from(["mean", "sum", "none"]),
    st.sampled_from([0.0, 0.5, 1.0, 100.0]),
    st.lists(st.integers(1, 3), max_size=2).map(tuple),
    sizes,
    sizes,
    sizes,
    unit_names,
    st.lists(st.integers(1, 2), max_size=3),
    seeds,
)
def test_it_is_the_composition(
    reduction: str,
    margin: float,
    batch: tuple[int, ...],
    d: int,
    k: int,
    m: int,
    unit: str,
    features: list[int],
    seed: int,
) -> None:
    """Value, gradients and the gradients of those; with every pair violated, with some, with none; with windows that
    differ in every word, in some, in none."""
    generator = torch.Generator().manual_seed(seed)
    L, *_ = thetas(d, k, m, seed % 1000)
    _, W, b, U = thetas(d + sum(features), k, m, seed % 1000)
    tables = [normal(3, c, seed=seed % 1000 + 7 + i) for i, c in enumerate(features)]
    pairs = words(*batch, k, seed=seed)
    kinds = torch.randint(3, (2, len(features), *batch, k), generator=generator)
    same = torch.rand(k, generator=generator) < 0.5
    pairs[1][..., same], kinds[1][..., same] = pairs[0][..., same], kinds[0][..., same]
    f = UNITS[unit].f

    def ours(L: Tensor, W: Tensor, b: Tensor, U: Tensor, *rest: Tensor) -> Tensor:
        passed = (kinds[0][0], kinds[1][0], rest[0]) if len(rest) == 1 else (list(kinds[0]), list(kinds[1]), rest)
        more = dict(zip(("features", "corrupted_features", "C"), passed, strict=True)) if rest else {}
        return window_margin_loss(*pairs, L, W, b, U, f, margin, reduction, **more)

    def parts(L: Tensor, W: Tensor, b: Tensor, U: Tensor, *rest: Tensor) -> Tensor:
        x = [torch.cat([embedding(w, L), *map(embedding, c, rest)], -1) for w, c in zip(pairs, kinds, strict=True)]
        return max_margin_loss(*(score(t.flatten(-2), W, b, U, f) for t in x), margin, reduction)

    theta = [L, W, b, U, *tables]
    torch.testing.assert_close(ours(*theta), parts(*theta))
    for mine, right in zip(gradients(ours, *theta, order=2), gradients(parts, *theta, order=2), strict=True):
        torch.testing.assert_close(mine, right)


def test_what_is_no_number_is_passed_on() -> None:
    theta = thetas()
    theta[1].data[0, 0] = torch.nan
    pairs = words(B, K)
    found, right = (torch.autograd.grad(f(*theta), theta) for f in (fused(*pairs), composed(*pairs)))
    assert fused(*pairs)(*theta).isnan()
    assert [g.isnan().any().item() for g in found] == [g.isnan().any().item() for g in right] == [True] * 4


def test_dropout_is_the_same_where_the_words_are() -> None:
    """Vectors of ones and a network that adds them up: s - s_c is that of the word that differs."""
    theta = [torch.ones(V, D), torch.full((1, K * D), 0.01), torch.zeros(1), torch.full((1, 1), 100.0)]
    true = torch.randint(V, (4000, K))
    J = window_margin_loss(true, corrupt(true, V), *theta, UNITS["hardtanh"].f, 100.0, "none", dropout=0.2)
    counts = torch.bincount(((J - 100) * 0.8).round().long() + D) / 4000  # dropped in the one less than in the other
    expected = [0.8**D * 0.2**D, 1 - 2 * sum(_binomial(i, j) for i in range(D + 1) for j in range(i))]
    assert counts[0] == pytest.approx(expected[0], abs=0.01)
    assert counts[D] == pytest.approx(expected[1], abs=0.04)


def _binomial(*drawn: int) -> float:
    return math.prod(math.comb(D, i) * 0.8**i * 0.2 ** (D - i) for i in drawn)


@pytest.mark.long
@pytest.mark.parametrize("margin", [0.2, 100.0])
def test_gradients_with_dropout_are_those_of_what_is_left(margin: float) -> None:
    true, other = words(B, 3)
    other[:, 0] = true[:, 0]
    kinds, tables = torch.randint(2, (2, 2, B, 3)), [normal(2, 1), normal(2, 1, seed=1)]
    L, *_ = thetas(2, 3, 2)
    theta = [L, *thetas(4, 3, 2)[1:], *tables]

    def J(L: Tensor, W: Tensor, b: Tensor, U: Tensor, *C: Tensor) -> Tensor:
        torch.manual_seed(0)
        more = {"features": list(kinds[0]), "corrupted_features": list(kinds[1]), "C": C, "dropout": 0.4}
        return window_margin_loss(true, other, L, W, b, U, tanh, margin, **more)

    check_gradients(J, theta)
    first = [normal(*t.shape, seed=i).detach() for i, t in enumerate(theta)]

    def along(*theta: Tensor) -> Tensor:
        with torch.enable_grad():
            leaves = [t if t.requires_grad else t.clone().requires_grad_() for t in theta]
            found = torch.autograd.grad(J(*leaves), leaves, create_graph=True)
        return sum((g * v).sum() for g, v in zip(found, first, strict=True))

    check_gradients(along, theta)


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (3,), (0, 3)])
def test_some_of_the_parameters(wanted: tuple[int, ...]) -> None:
    pairs = words(B, K)
    theta = [t.detach().requires_grad_(i in wanted) for i, t in enumerate(thetas())]
    for a, b in zip(gradients(fused(*pairs), *theta), gradients(composed(*pairs), *theta), strict=True):
        torch.testing.assert_close(a, b)


def test_the_sparse_gradient_holds_the_rows_of_violated_pairs_alone() -> None:
    L, W, b, U = thetas()
    true, other = torch.tensor([[0, 1, 2, 3, 4], [5, 5, 6, 6, 7]]), torch.tensor([[0, 1, 8, 3, 4], [5, 5, 7, 6, 7]])
    J = window_margin_loss(true, other, L, W, b, U, tanh, 0.0, "none", sparse=True)
    (dL,) = torch.autograd.grad(J.sum(), L)
    violated = J.detach() > 0
    assert violated.sum() == 1
    expected = torch.cat([true[violated], other[violated]]).unique()
    assert dL.is_sparse
    assert torch.equal(dL.coalesce().indices()[0], expected)
    (dense,) = torch.autograd.grad(composed(true, other, tanh, 0.0, "sum")(L, W, b, U), L)
    torch.testing.assert_close(dL.to_dense(), dense)


def test_nothing_is_kept_of_pairs_in_order() -> None:
    L, W, b, U = thetas()
    true, other = words(1000, K)
    violated = (window_margin_loss(true, other, L, W, b, U, tanh, 0.0, "none") > 0).sum().item()
    assert 300 < violated < 700
    kept = [
        saved_bytes(lambda L: window_margin_loss(true, other, L, W, b, U, tanh, margin), [L])  # noqa: B023
        for margin in (1e3, 0.0)
    ]
    parameters = sum(t.numel() * t.element_size() for t in (L, W, b, U))
    assert kept[1] - parameters == pytest.approx((kept[0] - parameters) * violated / 1000, rel=0.02)


def test_the_mean_of_many_in_half_precision() -> None:
    """The sum of 70,000 losses of 1 or more is beyond float16."""
    theta = [0 * t.detach() for t in thetas(dtype=torch.float16)]
    assert window_margin_loss(*words(70_000, K), *theta, tanh, 2.0) == 2.0


def test_under_torch_func() -> None:
    pairs, theta = words(B, K), tuple(t.detach() for t in thetas())
    right = grad(composed(*pairs), (0, 1, 2, 3))(*theta)
    for a, b in zip(grad(fused(*pairs), (0, 1, 2, 3))(*theta), right, strict=True):
        torch.testing.assert_close(a, b)
    each = vmap(lambda t, o: window_margin_loss(t, o, *theta, tanh))(*pairs)
    torch.testing.assert_close(each, window_margin_loss(*pairs, *theta, tanh, 1.0, "none"))


def test_it_is_what_the_scorer_trains_with() -> None:
    torch.manual_seed(0)
    true = torch.randint(V, (40, K))
    other = corrupt(true, V)
    models = [WindowScorer(V, D, K, M, tanh, sparse=sparse).double() for sparse in (True, False)]
    models[1].load_state_dict(models[0].state_dict())
    for i, model in enumerate(models):
        optimizer = AdaGrad(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            J = model.loss(true, other) if i == 0 else max_margin_loss(model(true), model(other))
            J.backward()
            optimizer.step()
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_scorer_has_features_and_dropout_and_any_unit() -> None:
    torch.manual_seed(0)
    true = torch.randint(V, (7, K))
    other, features = corrupt(true, V), torch.randint(2, (2, 7, K))
    for num_features, both in ((2, features), ((2, 3), [(f, f + 1) for f in features])):
        model = WindowScorer(V, D, K, M, num_features=num_features).double()
        right = max_margin_loss(model(true, both[0]), model(other, both[1]), 2.0, "sum")
        torch.testing.assert_close(model.loss(true, other, both[0], both[1], 2.0, "sum"), right)
    dropping = WindowScorer(V, D, K, M, dropout=0.5)
    assert dropping.loss(true, other) != dropping.loss(true, other)
    dropping.eval()
    assert dropping.loss(true, other) == dropping.loss(true, other)
    custom = WindowScorer(V, D, K, M, f=torch.sin)
    assert custom.loss(true, other) == max_margin_loss(custom(true), custom(other))
    assert functional_call(custom, dict(custom.named_parameters()), (true,)).shape == (7,)


def test_bad_input_is_named() -> None:
    L, W, b, U = thetas()
    true, other = words(B, K)
    with pytest.raises(ValueError, match=rf"corrupted.*\(2, {K}\)"):
        window_margin_loss(true, other[:2], L, W, b, U)
    with pytest.raises(ValueError, match=r"\bW\b.*\b15\b"):
        window_margin_loss(true[:, :4], other[:, :4], L, W, b, U)
    with pytest.raises(IndexError, match=r"corrupted.*\b9\b"):
        window_margin_loss(true, torch.full_like(other, 9), L, W, b, U)
    with pytest.raises(ValueError, match="margin.*-1"):
        window_margin_loss(true, other, L, W, b, U, margin=-1)
    with pytest.raises(ValueError, match=r"\bf\b.*<built-in"):
        window_margin_loss(true, other, L, W, b, U, torch.tanh)
    with pytest.raises(ValueError, match=r"\bfeatures\b.*\bC\b.*1 and 0"):
        window_margin_loss(true, other, L, W, b, U, features=true)
    C = torch.ones(2, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"\bfeatures\b.*\bC\b.*0 and 1"):
        window_margin_loss(true, other, L, W, b, U, C=C)
    W = torch.ones(M, K * (D + 1), dtype=torch.float64)
    with pytest.raises(IndexError, match=r"corrupted_features.*\b2\b"):
        window_margin_loss(true, other, L, W, b, U, C=C, features=0 * true, corrupted_features=0 * true + 2)
    with pytest.raises(ValueError, match=r"dropout.*1\.0"):
        window_margin_loss(true, other, L, W, b, U, dropout=1.0)
