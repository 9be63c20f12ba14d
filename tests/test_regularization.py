"""2.2 The penalty on weights."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cs224d_l3 import WindowClassifier, WindowScorer, l2_penalty, weight_matrices
from helpers import assert_same_gradients, normal, seeds


@given(lam=st.floats(0, 10), seed=seeds)
def test_penalty_is_the_sum_of_squares(lam: float, seed: int) -> None:
    W, U = normal(2, 3, seed=seed), normal(1, 2, seed=seed + 1)
    assert_same_gradients(
        lambda W, U: l2_penalty([W, U], lam), lambda W, U: lam * (W.square().sum() + U.square().sum()), W, U
    )


@given(seed=seeds)
def test_a_step_on_the_penalty_shrinks_every_weight_alike(seed: int) -> None:
    W = normal(3, 2, seed=seed)
    l2_penalty([W], 0.05).backward()
    assert W.grad is not None
    torch.testing.assert_close(W - W.grad, 0.9 * W)


def test_one_tensor_is_taken_too() -> None:
    W = normal(2, 3)
    assert torch.equal(l2_penalty(W, 0.1), l2_penalty([W], 0.1))


def test_weights_are_matrices_without_biases_and_embeddings() -> None:
    scorer = WindowScorer(5)
    assert {id(p) for p in weight_matrices(scorer)} == {id(scorer.hidden.W), id(scorer.U)}
    net = WindowClassifier(5, 3, num_features=2)
    assert {id(p) for p in weight_matrices(net)} == {id(net.hidden.W), id(net.output.W)}
    theirs = nn.Sequential(nn.Embedding(4, 3), nn.Conv1d(3, 2, 1), nn.LayerNorm(2), nn.Linear(2, 2))
    assert [p.shape for p in weight_matrices(theirs)] == [(2, 3, 1), (2, 2)]


def test_tied_weights_count_once_and_tied_vectors_not_at_all() -> None:
    net = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 4, bias=False), nn.Linear(4, 4), nn.EmbeddingBag(3, 2))
    net[1].weight = net[0].weight
    twice = nn.Sequential(net, net[2])
    assert [p.shape for p in weight_matrices(twice)] == [(4, 4)]


def test_penalty_names_what_is_wrong() -> None:
    W = torch.zeros(2, 2)
    for lam in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"lam.*{lam}"):
            l2_penalty([W], lam)
    with pytest.raises(ValueError, match="weights"):
        l2_penalty([], 0.1)
    with pytest.raises(TypeError, match=r"weights\[1\].*torch\.int64"):
        l2_penalty([W, torch.arange(3)], 0.1)
