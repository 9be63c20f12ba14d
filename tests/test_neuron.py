"""1.1 One neuron, in both of its forms."""

import pytest
import torch
from hypothesis import given

from cs224d_l3 import UNITS, activation, augmented_activation
from evidence.gradient_methods import TORCH_UNITS
from helpers import assert_same_gradients, batch_shapes, normal, seeds, sizes, unit_names


@given(batch=batch_shapes, n=sizes, name=unit_names, seed=seeds)
def test_activation_is_the_formula(batch: tuple[int, ...], n: int, name: str, seed: int) -> None:
    x, w, b = normal(*batch, n, seed=seed), normal(n, seed=seed + 1), normal(seed=seed + 2)
    f, torchs = UNITS[name].f, TORCH_UNITS[name]
    assert_same_gradients(lambda x, w, b: activation(x, w, b, f), lambda x, w, b: torchs((x * w).sum(-1) + b), x, w, b)


@given(batch=batch_shapes, n=sizes, name=unit_names, seed=seeds)
def test_the_bias_is_a_weight_on_an_input_of_one(batch: tuple[int, ...], n: int, name: str, seed: int) -> None:
    x, wb, f = normal(*batch, n, seed=seed), normal(n + 1, seed=seed + 1), UNITS[name].f
    assert_same_gradients(
        lambda x, wb: augmented_activation(x, wb, f), lambda x, wb: activation(x, wb[:-1], wb[-1], f), x, wb
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
