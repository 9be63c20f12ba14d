"""The language models: their formulas, their losses, the state that carries on, and what they keep in memory."""

import math
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cs224d_l3 import (
    UNITS,
    AdaGrad,
    RecurrentLanguageModel,
    WindowLanguageModel,
    check_gradients,
    elman,
    tanh,
    weight_matrices,
)
from evidence.conformance import saved_bytes
from helpers import seeds, sizes, unit_names

V = 7
WORDS = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 1], [2, 2, 0, 3]])
TARGET = torch.tensor([[2, 3, 0, 1], [5, 6, 1, 4], [2, 0, 3, 5]])


def window_model(**options) -> WindowLanguageModel:
    torch.manual_seed(0)
    return WindowLanguageModel(V, 3, 4, 5, **options).double()


def recurrent_model(**options) -> RecurrentLanguageModel:
    torch.manual_seed(0)
    return RecurrentLanguageModel(V, 3, 5, **options).double()


@pytest.mark.parametrize("unit", UNITS)
def test_the_window_models_scores_are_bengios(unit: str) -> None:
    """z = U f(W x + b) + D x + c."""
    f = UNITS[unit].f
    model = window_model(f=f, direct=True)
    x = model.L.weight[WORDS].flatten(1)
    U, D = model.output.W.split([5, 12], dim=1)
    z = f(x @ model.hidden.W.T + model.hidden.b) @ U.T + x @ D.T + model.output.b
    torch.testing.assert_close(model(WORDS), z)
    plain = window_model(f=f)
    assert plain.output.W.shape == (V, 5)
    assert plain(WORDS).shape == (3, V)


@pytest.mark.parametrize("unit", UNITS)
def test_the_recurrent_models_scores_are_elmans(unit: str) -> None:
    model = recurrent_model(f=UNITS[unit].f)
    layer = model.hidden
    a = elman(model.L.weight[WORDS], layer.W, layer.H, layer.b, None, UNITS[unit].f)
    z, last = model(WORDS)
    torch.testing.assert_close(z, a @ model.output.W.T + model.output.b)
    torch.testing.assert_close(last, a[:, -1])


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_window_loss_is_the_cross_entropy_of_its_scores(direct: bool, reduction: str) -> None:
    model, target = window_model(direct=direct), TARGET[:, -1]
    thetas = list(model.parameters())
    ours, torchs = model.loss(WORDS, target, reduction), F.cross_entropy(model(WORDS), target, reduction=reduction)
    torch.testing.assert_close(ours, torchs)
    for a, b in zip(*(torch.autograd.grad(J.sum(), thetas) for J in (ours, torchs)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_recurrent_loss_is_the_cross_entropy_of_its_scores(reduction: str) -> None:
    model = recurrent_model(clip=math.inf)
    thetas = list(model.parameters())
    ours, _ = model.loss(WORDS, TARGET, reduction=reduction)
    torchs = F.cross_entropy(model(WORDS)[0].flatten(0, 1), TARGET.flatten(), reduction=reduction)
    torch.testing.assert_close(ours, torchs)
    for a, b in zip(*(torch.autograd.grad(J, thetas) for J in (ours, torchs)), strict=True):
        torch.testing.assert_close(a, b)


@given(st.integers(1, 3))
def test_segments_of_a_text_add_up_to_its_loss(cut: int) -> None:
    model = recurrent_model()
    whole, last = model.loss(WORDS, TARGET, reduction="sum")
    first, state = model.loss(WORDS[:, :cut], TARGET[:, :cut], reduction="sum")
    second, end = model.loss(WORDS[:, cut:], TARGET[:, cut:], state, "sum")
    torch.testing.assert_close(first + second, whole)
    torch.testing.assert_close(end, last)
    assert not state.requires_grad


@pytest.mark.long
@given(sizes, sizes, sizes, unit_names, st.booleans(), seeds)
def test_whole_models_have_right_gradients(d: int, size: int, m: int, unit: str, direct: bool, seed: int) -> None:
    torch.manual_seed(seed)
    f = UNITS[unit].f
    window = WindowLanguageModel(V, d, size, m, f, direct=direct).double()
    recurrent = RecurrentLanguageModel(V, d, m, f, clip=math.inf).double()
    text = torch.randint(V, (2, size + 1))

    def of(model: nn.Module, loss) -> None:
        names, thetas = zip(*model.named_parameters(), strict=True)
        state = {}

        def J(*thetas: Tensor) -> Tensor:
            state.update(zip(names, thetas, strict=True))
            with torch.nn.utils.stateless._reparametrize_module(model, state):
                return loss()

        check_gradients(J, [theta.detach().requires_grad_() for theta in thetas], order=1)

    of(window, lambda: window.loss(text[:, :-1], text[:, -1]))
    of(recurrent, lambda: recurrent.loss(text[:, :-1], text[:, 1:])[0])


def test_of_a_mean_a_words_error_is_limited_as_of_a_sum() -> None:
    """The mean over 12 words has a twelfth of the gradient of the sum, clipped or not."""
    model = recurrent_model(clip=1e-3)
    of_mean, of_sum = (
        torch.autograd.grad(model.loss(WORDS, TARGET, reduction=how)[0], list(model.parameters()))
        for how in ("mean", "sum")
    )
    J = F.cross_entropy(model(WORDS)[0].flatten(0, 1), TARGET.flatten(), reduction="sum")
    exact = torch.autograd.grad(J, list(model.parameters()))
    for a, b in zip(of_mean, of_sum, strict=True):
        torch.testing.assert_close(12 * a, b)
    assert not torch.allclose(of_sum[0], exact[0])


@pytest.mark.parametrize("kind", ["window", "recurrent"])
def test_sparse_vectors_learn_as_dense_ones(kind: str) -> None:
    models = []
    for sparse in (True, False):
        model = window_model(sparse=sparse) if kind == "window" else recurrent_model(sparse=sparse)
        optimizer = AdaGrad(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            J = model.loss(WORDS, TARGET[:, -1]) if kind == "window" else model.loss(WORDS, TARGET)[0]
            J.backward()
            assert model.L.weight.grad is not None
            assert model.L.weight.grad.is_sparse == sparse
            optimizer.step()
        models.append(model)
    for a, b in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(a, b)


def test_with_a_target_a_call_is_the_loss() -> None:
    """What wraps a Module sees nothing but calls."""
    window, recurrent = window_model(), recurrent_model()
    assert window(WORDS, TARGET[:, -1]) == window.loss(WORDS, TARGET[:, -1])
    for a, b in zip(recurrent(WORDS, None, TARGET), recurrent.loss(WORDS, TARGET), strict=True):
        assert torch.equal(a, b)


def test_the_state_keeps_nothing_but_itself() -> None:
    _, state = recurrent_model().loss(WORDS, TARGET)
    assert state.untyped_storage().nbytes() == state.numel() * state.element_size()


def test_dropout_falls_on_the_vectors_and_on_the_hidden_units() -> None:
    """All of x or all of a is dropped at a share close to 1: what is left are the biases."""
    for part in ("x", "a"):
        window, recurrent = window_model(f=tanh, direct=False), recurrent_model()
        for model in (window, recurrent):
            model.dropout = 1 - 1e-9
            nn.init.ones_(model.hidden.b)
        keep = mock.patch("cs224d_l3.language_model.dropout", side_effect=_drop_only(part))
        with keep:
            features = window.features(WORDS), recurrent(WORDS)[0]
        if part == "x":
            torch.testing.assert_close(features[0], torch.ones(3, 5).double().tanh())
        else:
            assert (features[0] == 0).all()
            torch.testing.assert_close(features[1], recurrent.output.b.expand(3, 4, V))


def _drop_only(part: str):
    """The first call of a model drops x, the second a."""
    calls = []

    def dropout(t: Tensor, p: float, training: bool) -> Tensor:
        assert p == 1 - 1e-9
        assert training
        calls.append(t)
        is_x = len(calls) % 2 == 1
        return 0 * t if is_x == (part == "x") else t

    return dropout


def test_dropout_is_for_training_alone() -> None:
    for model in (window_model(dropout=0.5), recurrent_model(dropout=0.5)):
        batch = (WORDS, TARGET[:, -1]) if isinstance(model, WindowLanguageModel) else (WORDS, TARGET)
        losses = [model.loss(*batch) for _ in range(2)]
        losses = [J[0] if isinstance(J, tuple) else J for J in losses]
        assert losses[0] != losses[1]
        model.eval()
        losses = [model.loss(*batch) for _ in range(2)]
        losses = [J[0] if isinstance(J, tuple) else J for J in losses]
        assert losses[0] == losses[1]


@pytest.mark.parametrize("kind", ["window", "recurrent"])
def test_nothing_of_batch_times_vocabulary_is_kept(kind: str) -> None:
    B, large = 1200, 3000
    words, target = torch.randint(large, (2, B, 4)).unbind()
    if kind == "window":
        window = WindowLanguageModel(large, 3, 4, 5)
        kept = saved_bytes(lambda words: window.loss(words, target[:, 0]), [words])
    else:
        recurrent = RecurrentLanguageModel(large, 3, 5)
        kept = saved_bytes(lambda words: recurrent.loss(words, target)[0], [words])
    assert kept < 4 * B * large / 20


def test_word_vectors_are_no_weights() -> None:
    for model in (window_model(), recurrent_model()):
        assert all(theta is not model.L.weight for theta in weight_matrices(model))
    assert len(weight_matrices(recurrent_model())) == 3  # W, H, U


@pytest.mark.long
@pytest.mark.parametrize("kind", ["window", "recurrent"])
def test_the_models_learn_a_text_by_heart(kind: str) -> None:
    text = torch.tensor([1, 2, 3, 1, 2, 4, 1, 5, 6] * 20)  # the word before does not tell what comes after 1 or 2
    torch.manual_seed(0)
    model: WindowLanguageModel | RecurrentLanguageModel
    if kind == "window":
        model, grams = WindowLanguageModel(V, 4, 3, 12, tanh), text.unfold(0, 4, 1)
    else:
        model = RecurrentLanguageModel(V, 4, 12, tanh)
    optimizer = AdaGrad(model.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        if isinstance(model, WindowLanguageModel):
            J = model.loss(grams[:, :-1], grams[:, -1])
        else:
            J, _ = model.loss(text[:-1].view(1, -1), text[1:].view(1, -1))
        J.backward()
        optimizer.step()
    assert J < 0.1


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"num_words.*\b1\b"):
        WindowLanguageModel(1)
    with pytest.raises(ValueError, match=r"dropout.*1\.0"):
        RecurrentLanguageModel(5, dropout=1.0)
    with pytest.raises(ValueError, match="clip.*-1"):
        RecurrentLanguageModel(5, clip=-1.0)
    with pytest.raises(ValueError, match=r"\bf\b.*<built-in"):
        RecurrentLanguageModel(5, f=torch.tanh)
    with pytest.raises(ValueError, match=r"context.*\(3, 3\)"):
        window_model()(WORDS[:, :3])
    with pytest.raises(IndexError, match=r"target.*\b7\b"):
        window_model().loss(WORDS, torch.tensor([0, 1, 7]))
    with pytest.raises(ValueError, match=r"a_0.*\(2, 5\)"):
        recurrent_model().loss(WORDS, TARGET, torch.zeros(2, 5, dtype=torch.float64))


def test_models_say_what_they_are() -> None:
    assert "size=4, direct=True, dropout=0.0" in repr(window_model(direct=True))
    assert "clip=15.0, dropout=0.0" in repr(recurrent_model())
