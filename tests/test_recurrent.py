"""The recurrent layer: torch's nn.RNN, and laws of its own. The roads to its gradient are in test_gradient_methods."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cs224d_l3 import UNITS, Elman, elman, relu, tanh
from helpers import assert_same_gradients, gradients, normal, seeds, sizes, unit_names


def draw(batch: tuple[int, ...], T: int, n: int, m: int, seed: int = 0) -> list[Tensor]:
    shapes = ((*batch, T, n), (m, n), (m, m), (m,), (*batch, m))
    return [normal(*shape, seed=seed + i) for i, shape in enumerate(shapes)]


def torchs(f: str, x: Tensor, W: Tensor, H: Tensor, b: Tensor, a_0: Tensor) -> Tensor:
    """nn.RNN with the same weights."""
    m, n = W.shape
    layer = nn.RNN(n, m, nonlinearity=f, batch_first=True, dtype=x.dtype)
    weights = {"weight_ih_l0": W, "weight_hh_l0": H, "bias_ih_l0": b, "bias_hh_l0": torch.zeros_like(b)}
    a, _ = torch.func.functional_call(layer, weights, (x, a_0[None]))
    return a


@pytest.mark.parametrize("f", [tanh, relu])
@pytest.mark.parametrize("T", [1, 4])
def test_as_torchs_rnn(f, T: int) -> None:
    inputs = draw((3,), T, 2, 4)
    assert_same_gradients(lambda *t: elman(*t, f=f), lambda *t: torchs(f.__name__, *t), *inputs)


@given(st.lists(st.integers(0, 3), max_size=2).map(tuple), sizes, sizes, sizes, unit_names, seeds)
def test_the_state_carries_a_text_on(batch: tuple[int, ...], T: int, n: int, m: int, unit: str, seed: int) -> None:
    """Reading a text in two segments is reading it at once."""
    x, *weights, a_0 = draw(batch, T + 1, n, m, seed)
    f = UNITS[unit].f
    whole = elman(x, *weights, a_0, f)
    first = elman(x[..., :1, :], *weights, a_0, f)
    rest = elman(x[..., 1:, :], *weights, first[..., -1, :], f)
    torch.testing.assert_close(torch.cat([first, rest], -2), whole)
    assert whole.shape == (*batch, T + 1, m)


def test_without_a_state_it_starts_from_zero() -> None:
    x, W, H, b, a_0 = draw((2,), 3, 2, 4)
    assert torch.equal(elman(x, W, H, b), elman(x, W, H, b, torch.zeros_like(a_0)))


def test_no_error_goes_back_beyond_a_detached_state() -> None:
    x, W, H, b, a_0 = draw((), 4, 2, 3)
    first = elman(x[:2], W, H, b, a_0)
    a = elman(x[2:], W, H, b, first[-1].detach())
    (dx,) = torch.autograd.grad(a.sum(), x)
    assert (dx[:2] == 0).all()
    assert (dx[2:] != 0).any()


def by_hand(inputs: list[Tensor], error: Tensor, clip: float) -> Tensor:
    """dJ/dx of a tanh layer with every error limited on its way back."""
    x, W, H, b, a = inputs
    states = [a]
    for x_t in x:
        states.append(torch.tanh(W @ x_t + H @ states[-1] + b))
    back, rows = torch.zeros_like(a), []
    for t in reversed(range(len(x))):
        delta = (1 - states[t + 1] ** 2) * (error[t] + back)
        back = (H.T @ delta).clamp(-clip, clip)
        rows.insert(0, W.T @ delta)
    return torch.stack(rows)


@pytest.mark.parametrize("clip", [0.02, 0.3, 1e9])
def test_errors_are_limited_on_their_way_back(clip: float) -> None:
    inputs = draw((), 5, 2, 3)
    error = normal(5, 3, seed=9, grad=False)
    (found,) = torch.autograd.grad((elman(*inputs, clip=clip) * error).sum(), inputs[0])
    torch.testing.assert_close(found, by_hand([t.detach() for t in inputs], error, clip))
    exact = gradients(lambda *t: elman(*t) * error, *inputs)
    limited = gradients(lambda *t: elman(*t, clip=clip) * error, *inputs)
    assert all(map(torch.equal, exact, limited)) == (clip == 1e9)


def test_errors_that_would_explode_do_not() -> None:
    """a_t = 3 a_(t-1), where nothing limits the error it grows threefold at every step."""
    x, W, H = torch.zeros(600, 1), torch.zeros(2, 1), 3 * torch.eye(2)
    a_0 = torch.full((2,), 1e-290, dtype=torch.float64, requires_grad=True)
    inputs = [t.double() for t in (x, W, H, torch.zeros(2))]
    for clip, expected in ((math.inf, 3.0**600), (15.0, 15.0)):
        last = elman(*inputs, a_0, relu, clip)[-1]
        (error,) = torch.autograd.grad(last.sum(), a_0)
        assert error.tolist() == pytest.approx([expected] * 2)


def test_bad_input_is_named() -> None:
    x, W, H, b, a_0 = draw((2,), 3, 2, 4)
    with pytest.raises(ValueError, match=r"\bH\b.*\(4, 3\)"):
        elman(x, W, H[:, :3], b)
    with pytest.raises(ValueError, match=r"\bx\b.*\(2, 0, 2\)"):
        elman(x[:, :0], W, H, b)
    with pytest.raises(ValueError, match=r"a_0.*\(4,\)"):
        elman(x, W, H, b, a_0[0])
    with pytest.raises(ValueError, match=r"\bf\b.*<built-in"):
        elman(x, W, H, b, f=torch.tanh)
    with pytest.raises(ValueError, match=r"clip.*0\.0"):
        elman(x, W, H, b, clip=0.0)
    with pytest.raises(ValueError, match=r"\bf\b.*<built-in"):
        Elman(2, 3, f=torch.tanh)
    with pytest.raises(ValueError, match="clip.*-1"):
        Elman(2, 3, clip=-1)
    with pytest.raises(ValueError, match=r"\bm\b.*\b0\b"):
        Elman(2, 0)


def test_the_module_is_the_function_with_weights() -> None:
    torch.manual_seed(0)
    layer = Elman(3, 4, relu, clip=2.0)
    x = torch.randn(2, 5, 3)
    a_0 = torch.randn(2, 4)
    for clip in (2.0, 0.01):  # the layer's own, and another
        (found,) = torch.autograd.grad(layer(x, a_0, None if clip == 2.0 else clip).sum(), layer.H)
        (right,) = torch.autograd.grad(elman(x, layer.W, layer.H, layer.b, a_0, relu, clip).sum(), layer.H)
        assert torch.equal(found, right)
    torch.testing.assert_close(layer.H @ layer.H.T, torch.eye(4))
    assert (layer.b == 0).all()
    assert repr(layer) == "Elman(n=3, m=4, f=relu, clip=2.0)"
    assert layer.load_state_dict(Elman(3, 4).state_dict())


@given(st.integers(1, 4), seeds)
def test_with_no_way_back_in_time_it_is_a_layer(T: int, seed: int) -> None:
    x, W, H, b, _ = draw((), T, 3, 2, seed)
    torch.testing.assert_close(elman(x, W, 0 * H, b), torch.tanh(x @ W.T + b))
