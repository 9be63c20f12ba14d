"""The tests bite: a derivative that is 0.1 % wrong is caught, in every Function, for every input."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import cs224d_l3
from cs224d_l3 import GradientCheckError, check_gradients
from cs224d_l3._function import Function
from helpers import normal

X, W, B = normal(2, 3), normal(4, 3, seed=1), normal(4, seed=2)

# for every Function, a call and the inputs it has gradients for
CALLS: dict[str, tuple[Callable[..., Tensor], list[Any]]] = {
    "_Sigmoid": (cs224d_l3.sigmoid, [X]),
    "_Tanh": (cs224d_l3.tanh, [X]),
    "_Hardtanh": (cs224d_l3.hardtanh, [X]),
    "_Softsign": (cs224d_l3.softsign, [X]),
    "_ReLU": (cs224d_l3.relu, [X]),
    "_LeakyReLU": (cs224d_l3.leaky_relu, [X]),
    "_Dot": (lambda x, w, b: cs224d_l3.activation(x, w, b, f=lambda z: z), [X, normal(3), normal()]),
    "_Affine": (cs224d_l3.affine, [X, W, B]),
    "_Embedding": (lambda L: cs224d_l3.embedding(torch.tensor([[0, 2], [2, 1]]), L), [W]),
    "_MaxMargin": (cs224d_l3.max_margin_loss, [X, normal(2, 3, seed=3)]),
    "_WindowMargin": (
        lambda *theta: cs224d_l3.window_margin_loss(
            torch.tensor([[0, 1], [2, 3]]), torch.tensor([[0, 2], [2, 0]]), *theta
        ),
        [normal(4, 2), normal(3, 4, seed=7), normal(3, seed=8), normal(1, 3, seed=9)],
    ),
    "_WindowSoftmax": (
        lambda *theta: cs224d_l3.window_softmax_loss(torch.tensor([[0, 1], [2, 2]]), torch.tensor([1, 0]), *theta),
        [normal(4, 2), normal(3, 4, seed=7), normal(3, seed=8), normal(2, 3, seed=9), normal(2, seed=10)],
    ),
    "_SoftmaxCrossEntropy": (lambda z: cs224d_l3.softmax_cross_entropy(z, torch.tensor([0, 2])), [X]),
    "_CrossEntropy": (cs224d_l3.softmax_cross_entropy, [X, normal(2, 3, seed=4).detach().abs().requires_grad_()]),
    "_AffineSoftmaxCrossEntropy": (
        lambda x, W, b: cs224d_l3.affine_softmax_cross_entropy(x, W, b, torch.tensor([0, 2])),
        [X, W, B],
    ),
    "_Elman": (cs224d_l3.elman, [normal(2, 3, 3), W, normal(4, 4, seed=5), B, normal(2, 4, seed=6)]),
    "_SquaredNorm": (lambda W: cs224d_l3.l2_penalty([W], 0.5), [W]),
}
FUNCTIONS = {function.__name__: function for function in Function.__subclasses__()}


def test_every_function_is_on_the_list() -> None:
    assert FUNCTIONS.keys() == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_right_derivatives_pass(name: str) -> None:
    check_gradients(*CALLS[name], order=2)


@pytest.mark.parametrize(("name", "position"), [(n, i) for n, (_, inputs) in CALLS.items() for i in range(len(inputs))])
def test_a_derivative_off_by_a_thousandth_is_caught(name: str, position: int, monkeypatch: pytest.MonkeyPatch) -> None:
    right = FUNCTIONS[name].backward

    def wrong(ctx: Any, *grad_outputs: Tensor) -> Any:
        found = right(ctx, *grad_outputs)
        found = list(found) if isinstance(found, tuple) else [found]
        i = [i for i, g in enumerate(found) if g is not None][position]
        found[i] = found[i] * 1.001
        return tuple(found)

    monkeypatch.setattr(FUNCTIONS[name], "backward", staticmethod(wrong))
    f, inputs = CALLS[name]
    with pytest.raises(GradientCheckError, match="d/d"):
        check_gradients(f, inputs)
