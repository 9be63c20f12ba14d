"""1.1 One neuron, in both of its forms."""

import pytest
import torch
from hypothesis import given
from torch import Tensor

from cs224d_l3 import UNITS, activation, augmented_activation
from evidence.gradient_methods import TORCH_UNITS
from helpers import assert_same_gradients, leaves, unit_names


@given(drawn=leaves("x=... n, w=n, b="), name=unit_names)
def test_activation_is_the_formula(drawn: list[Tensor], name: str) -> None:
    f, torchs = UNITS[name].f, TORCH_UNITS[name]
    assert_same_gradients(lambda x, w, b: activation(x, w, b, f), lambda x, w, b: torchs((x * w).sum(-1) + b), *drawn)


@given(drawn=leaves("x=... n, w=n, b="), name=unit_names)
def test_the_bias_is_a_weight_on_an_input_of_one(drawn: list[Tensor], name: str) -> None:
    f = UNITS[name].f
    assert_same_gradients(
        lambda x, w, b: augmented_activation(x, torch.cat([w, b[None]]), f), lambda *t: activation(*t, f), *drawn
    )


def test_neuron_names_what_does_not_fit() -> None:
    x, w, b = torch.zeros(2, 3), torch.zeros(3), torch.zeros(())
    with pytest.raises(ValueError, match=r"\bw\b.*\(4,\)"):
        activation(x, torch.zeros(4), b)
    with pytest.raises(ValueError, match=r"\bb\b.*\(1,\)"):
        activation(x, w, torch.zeros(1))
    with pytest.raises(ValueError, match=r"\bwb\b.*\(3,\)"):
        augmented_activation(x, w)
    with pytest.raises(ValueError, match=r"\bx\b.*\(\)"):
        augmented_activation(torch.tensor(1.0), w)
    with pytest.raises(TypeError, match=r"\bf\b.*'tanh'"):
        activation(x, w, b, "tanh")
    with pytest.raises(TypeError, match=r"\bx\b.*torch\.int64"):
        activation(torch.zeros(2, 3, dtype=torch.int64), w, b)
