"""1.2 The layer and the word vectors, against torch's linear and embedding."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from torch import Tensor

from cs224d_l3 import Layer, WordVectors, activation, affine, embedding, relu, sigmoid, tanh
from helpers import assert_same_gradients, gradients, leaves, normal


@given(leaves("x=... n, W=m n, b=m"))
def test_affine_and_its_gradients_are_torchs_linear(drawn: list[Tensor]) -> None:
    x, W, b = drawn
    assert_same_gradients(affine, F.linear, x, W, b)
    assert_same_gradients(affine, F.linear, x, W)


def test_affine_reads_any_layout() -> None:
    x, W = normal(5, 4).T.requires_grad_(), normal(10, 3)[::2].T
    b = normal(1).expand(3)
    assert_same_gradients(affine, F.linear, x, W, b)
    # an incoming gradient without memory of its own
    ours, torchs = (torch.autograd.grad(f(x, W, b).sum(), [x, W]) for f in (affine, F.linear))
    torch.testing.assert_close(ours, torchs)


def test_affine_names_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"\bW\b.*\(2, 5\)"):
        affine(torch.zeros(3, 4), torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"\bb\b.*\(3,\)"):
        affine(torch.zeros(3, 4), torch.zeros(2, 4), torch.zeros(3))


def test_layer_is_the_unit_of_its_affine() -> None:
    layer, x = Layer(3, 4, tanh), normal(2, 3, dtype=torch.float32)
    assert torch.equal(layer(x), tanh(affine(x, layer.W, layer.b)))
    layer.f = None
    assert torch.equal(layer(x), affine(x, layer.W, layer.b))
    assert layer.W.shape == (4, 3)
    assert not layer.b.any()
    assert repr(Layer(3, 4, tanh)) == "Layer(n=3, m=4, f=tanh)"
    assert Layer(3, 4, dtype=torch.float64).W.dtype == torch.float64
    with pytest.raises(ValueError, match=r"\bm\b.*\b0\b"):
        Layer(3, 0)
    with pytest.raises(TypeError, match=r"\bf\b.*'tanh'"):
        Layer(3, 4, "tanh")


def test_a_layer_is_a_neuron_for_every_row() -> None:
    x, W, b = normal(5), normal(3, 5, seed=1), normal(3, seed=2)
    neurons = torch.stack([activation(x, W[i], b[i]) for i in range(3)])
    torch.testing.assert_close(sigmoid(affine(x, W, b)), neurons)


@given(leaves("indices=... < V, L=V d"))
def test_embedding_and_its_gradient_are_torchs(drawn: list[Tensor]) -> None:
    indices, L = drawn
    assert_same_gradients(embedding, F.embedding, indices, L)
    for sparse, dense in zip(
        gradients(lambda i, L: embedding(i, L, sparse=True), indices, L), gradients(embedding, indices, L), strict=True
    ):
        assert sparse.is_sparse
        torch.testing.assert_close(sparse.to_dense(), dense)


def test_embedding_under_vmap() -> None:
    L, indices = normal(5, 3, grad=False), torch.tensor([[0, 1], [4, 4], [2, 2]])
    grad = torch.func.grad(lambda L, i: embedding(i, L).square().sum())
    expected = torch.stack([grad(L, i) for i in indices])
    torch.testing.assert_close(torch.func.vmap(grad, in_dims=(None, 0))(L, indices), expected)


def test_embedding_names_a_word_that_is_not_there() -> None:
    L = torch.zeros(4, 2)
    with pytest.raises(IndexError, match=r"indices.*\b4\b"):
        embedding(torch.tensor([0, 4]), L)
    with pytest.raises(IndexError, match="indices.*-1"):
        embedding(torch.tensor([0, -1]), L)
    with pytest.raises(TypeError, match=r"indices.*torch\.float32"):
        embedding(torch.tensor([0.0]), L)


def test_word_vectors_are_an_embedding() -> None:
    vectors, words = WordVectors(6, 3), torch.tensor([[1, 5], [0, 1]])
    assert torch.equal(vectors(words), F.embedding(words, vectors.weight))
    given_vectors = WordVectors.from_pretrained(torch.eye(3), freeze=False, sparse=True)
    relu(given_vectors(torch.tensor([0, 2]))).sum().backward()
    assert given_vectors.weight.grad is not None
    assert given_vectors.weight.grad.is_sparse
    with pytest.raises(ValueError, match="padding_idx"):
        WordVectors(6, 3, padding_idx=0)


@pytest.mark.parametrize("inside", [True, False])
def test_layer_under_autocast_is_torchs_linear(inside: bool) -> None:
    """The backward pass in autocast or, as torch advises, after it."""
    x, layer = normal(4, 3, dtype=torch.float32), Layer(3, 2, f=None)
    results = []
    for f in (affine, F.linear):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            z = f(x, layer.W, layer.b)
            if inside:
                z.square().sum().backward()
        if not inside:
            z.square().sum().backward()
        assert layer.W.grad is not None
        assert layer.b.grad is not None
        results.append((z.detach(), layer.W.grad.clone(), layer.b.grad.clone()))
    for ours, torchs in zip(*results, strict=True):
        assert ours.dtype == torchs.dtype
        torch.testing.assert_close(ours, torchs)


def test_mixed_types_are_named() -> None:
    with pytest.raises(TypeError, match=r"\bW\b.*torch\.float64"):
        affine(torch.zeros(2, 3), torch.zeros(4, 3, dtype=torch.float64))


def test_affine_asks_for_no_gradient_that_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    from cs224d_l3.layer import _Affine

    seen = []
    right = _Affine.backward

    def watched(ctx: Any, delta: Tensor) -> Any:
        found = right(ctx, delta)
        seen.append([g is not None for g in found])
        return found

    monkeypatch.setattr(_Affine, "backward", staticmethod(watched))
    for needs in [(True, False, False), (False, True, False), (False, False, True)]:
        inputs = [normal(*shape, grad=g) for shape, g in zip([(2, 3), (4, 3), (4,)], needs, strict=True)]
        affine(*inputs).sum().backward()
        assert seen.pop() == list(needs)


def test_a_single_word_is_no_view_of_its_vector() -> None:
    L = normal(4, 2)
    x = embedding(torch.tensor(2), L)
    assert not x._is_view()
    assert torch.equal(x, L[2])
