"""1.3 The score of a window, and the two networks."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from torch import Tensor

from cs224d_l3 import UNITS, WindowClassifier, WindowScorer, affine, score, tanh
from cs224d_l3.feed_forward import WindowInput
from evidence.gradient_methods import TORCH_UNITS
from helpers import assert_same_gradients, leaves, unit_names

WINDOWS = torch.tensor([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]])


@given(drawn=leaves("x=... n, W=m n, b=m, U=1 m"), name=unit_names)
def test_score_is_the_formula(drawn: list[Tensor], name: str) -> None:
    f, torchs = UNITS[name].f, TORCH_UNITS[name]
    assert_same_gradients(
        lambda x, W, b, U: score(x, W, b, U, f), lambda x, W, b, U: (torchs(x @ W.T + b) * U[0]).sum(-1), *drawn
    )


def test_scorer_has_the_sizes_of_the_notes() -> None:
    scorer = WindowScorer(num_words=7)
    assert scorer.input.n == 20
    assert scorer.hidden.W.shape == (8, 20)
    assert scorer.hidden.b.shape == (8,)
    assert scorer.U.shape == (1, 8)
    assert scorer(WINDOWS).shape == (2,)
    assert scorer(WINDOWS[0]).shape == ()


def test_scorer_is_the_score_of_its_word_vectors() -> None:
    scorer = WindowScorer(5, d=3, m=4, f=tanh)
    x = torch.cat([scorer.input.L.weight[w] for w in WINDOWS[0]])
    torch.testing.assert_close(scorer(WINDOWS[0]), score(x, scorer.hidden.W, scorer.hidden.b, scorer.U, tanh))


def test_classifier_is_a_layer_and_an_affine() -> None:
    net = WindowClassifier(5, 3, d=2, m=4)
    a = tanh(affine(net.input.L.weight[WINDOWS].flatten(1), net.hidden.W, net.hidden.b))
    torch.testing.assert_close(net(WINDOWS), affine(a, net.output.W, net.output.b))


@pytest.mark.parametrize("num_features", [2, [2], (3, 2)])
def test_features_follow_the_words_vectors(num_features: int | Sequence[int]) -> None:
    make = WindowInput(5, d=3, num_features=num_features, d_features=2)
    tables = [C.weight for C in make.C]
    assert [len(C) for C in tables] == ([2] if num_features == 2 else list(num_features))
    features = [WINDOWS % len(C) for C in tables]
    x = make(WINDOWS, features[0] if num_features == 2 else features)
    assert x.shape == (2, make.n) == (2, 5 * (3 + 2 * len(tables)))
    second = x[0].view(5, -1)[1]
    torch.testing.assert_close(second, torch.cat([make.L.weight[1], *(C[1] for C in tables)]))


def test_dropout_is_for_training_alone() -> None:
    make = WindowInput(5, dropout=0.5)
    assert (make(WINDOWS) == 0).any()
    assert not (make.eval()(WINDOWS) == 0).any()


def test_sparse_vectors_have_sparse_gradients() -> None:
    net = WindowClassifier(9, 2, sparse=True)
    net(WINDOWS).sum().backward()
    gradient = net.input.L.weight.grad
    assert gradient is not None
    assert gradient.is_sparse
    assert set(gradient.coalesce().indices()[0].tolist()) == {0, 1, 2, 3, 4}


def test_networks_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"\bU\b.*\(3,\)"):
        score(torch.zeros(4), torch.zeros(3, 4), torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"\bU\b.*\(5, 3\)"):
        score(torch.zeros(4), torch.zeros(3, 4), torch.zeros(3), torch.zeros(5, 3))
    with pytest.raises(TypeError, match=r"\bf\b.*None"):
        WindowScorer(5, f=None)
    with pytest.raises(ValueError, match=r"features.*\(1, 5\)"):
        WindowScorer(5, num_features=3)(WINDOWS, WINDOWS[:1] % 3)
    with pytest.raises(ValueError, match=r"num_tags.*\b1\b"):
        WindowClassifier(5, 1)
    with pytest.raises(ValueError, match=r"size.*odd.*\b4\b"):
        WindowScorer(5, size=4)
    with pytest.raises(ValueError, match=r"dropout.*1\.0"):
        WindowScorer(5, dropout=1.0)
    with pytest.raises(ValueError, match=r"windows.*\(2, 3\)"):
        WindowScorer(5)(WINDOWS[:, :3])
    with pytest.raises(IndexError, match=r"indices.*\b4\b"):
        WindowScorer(4)(WINDOWS)
    with pytest.raises(ValueError, match=r"features.*\(2, 5\)"):
        WindowScorer(5)(WINDOWS, WINDOWS)
    with pytest.raises(ValueError, match="features.*1 tensors.*None"):
        WindowScorer(5, num_features=3)(WINDOWS)
    with pytest.raises(ValueError, match=r"features.*2 tensors.*\(2, 5\)"):
        WindowScorer(5, num_features=[3, 4])(WINDOWS, WINDOWS % 3)
    with pytest.raises(ValueError, match=r"num_features.*\b0\b"):
        WindowInput(5, num_features=[3, 0])
    with pytest.raises(ValueError, match=r"num_features.*-1"):
        WindowInput(5, num_features=-1)
