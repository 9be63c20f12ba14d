"""2.1 The checker is itself checked."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, seeds
from torch import Tensor

from cs224d_l3 import GradientCheckError, check_gradients, numerical_gradient, relative_error


@given(seed=seeds, h=st.floats(1e-6, 1e-4))
def test_a_quadratic_form_has_its_gradient(seed: int, h: float) -> None:
    A, x = normal(4, 4, seed=seed, grad=False), normal(4, seed=seed + 1, grad=False)
    found = numerical_gradient(lambda x: x @ A @ x, x, h)
    torch.testing.assert_close(found, (A + A.T) @ x, rtol=1e-7, atol=1e-7)


def test_halving_h_quarters_the_error() -> None:
    x = torch.tensor([0.3], dtype=torch.float64)
    errors = [abs(numerical_gradient(lambda t: t.exp(), x, h).item() - math.exp(0.3)) for h in (1e-2, 5e-3)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=1e-3)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0), (2, 3)])
def test_numerical_gradients_have_any_shape(shape: tuple[int, ...]) -> None:
    x = normal(*shape)
    torch.testing.assert_close(numerical_gradient(lambda x: x.square().sum(), x), 2 * x.detach())


def test_the_point_is_not_written_to() -> None:
    x = normal(4, 3).T
    before = x.detach().clone()
    numerical_gradient(lambda x: x.sin().sum(), x)
    assert torch.equal(x, before)


def test_numerical_gradient_names_what_is_wrong() -> None:
    x = torch.ones(2, dtype=torch.float64)
    with pytest.raises(TypeError, match="theta must be float64.*got torch.float32"):
        numerical_gradient(torch.sum, x.float())
    with pytest.raises(ValueError, match=r"J must give a tensor of one number, got \(2,\)"):
        numerical_gradient(torch.sin, x)
    with pytest.raises(ValueError, match="J must give a tensor of one number, got float"):
        numerical_gradient(lambda x: 1.0, x)  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match="h must be a finite number above 0"):
        numerical_gradient(torch.sum, x, h=0)


def test_relative_error_is_symmetric_and_free_of_scale() -> None:
    a, b = normal(5, grad=False), normal(5, seed=1, grad=False)
    assert relative_error(a, b) == relative_error(b, a) == pytest.approx(relative_error(1e6 * a, 1e6 * b))
    assert relative_error(a, a) == relative_error(torch.zeros(2), torch.zeros(2)) == relative_error(a[:0], a[:0]) == 0
    with pytest.raises(ValueError, match=r"b must have the shape of a, \(5,\), got \(4,\)"):
        relative_error(a, a[:4])


class Scaled(torch.autograd.Function):
    """sin, with a gradient that is wrong at one element by a factor."""

    @staticmethod
    def forward(ctx, x: Tensor, index: tuple[int, ...], factor: float) -> Tensor:  # type: ignore[no-untyped-def, override]
        ctx.save_for_backward(x)
        ctx.index, ctx.factor = index, factor
        return x.sin()

    @staticmethod
    def backward(ctx, delta: Tensor):  # type: ignore[no-untyped-def, override]
        (x,) = ctx.saved_tensors
        gradient = delta * x.cos()
        gradient[ctx.index] *= ctx.factor
        return gradient, None, None


@given(seed=seeds, i=st.integers(0, 2), j=st.integers(0, 3), factor=st.sampled_from([0.0, -1.0, 0.999, 1.001, 2.0]))
def test_the_wrong_element_is_named(seed: int, i: int, j: int, factor: float) -> None:
    x = normal(3, 4, seed=seed).detach().clamp(-1.2, 1.2).requires_grad_()
    with pytest.raises(GradientCheckError, match=rf"d/dx\[{i}, {j}\]: by formula .* by differences .* \+- "):
        check_gradients(lambda x: Scaled.apply(x, (i, j), factor), x)


@given(seed=seeds)
def test_a_right_gradient_passes(seed: int) -> None:
    worst = check_gradients(lambda x: Scaled.apply(x, (0,), 1.0), normal(5, seed=seed), order=2)
    assert worst is not None
    assert abs(worst.analytical - worst.numerical) <= worst.bound


def test_a_wrong_second_derivative_is_found_in_second_order_alone() -> None:
    def f(x: Tensor) -> Tensor:
        return x.sin() + 0 * (x.detach() * x)

    class Detached(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def, override]
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, delta: Tensor) -> Tensor:  # type: ignore[no-untyped-def, override]
            return delta * ctx.saved_tensors[0].detach().cos()

    check_gradients(f, normal(3), order=2)
    check_gradients(Detached.apply, normal(3))
    with pytest.raises(GradientCheckError, match="second order"):
        check_gradients(Detached.apply, normal(3), order=2)


def test_a_kink_is_not_judged() -> None:
    with pytest.raises(GradientCheckError, match="the point lies on a kink"):
        check_gradients(torch.relu, torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True))


@given(distance=st.floats(1e-5, 1e-2), side=st.sampled_from([-1, 1]))
def test_beside_a_kink_a_smaller_step_judges(distance: float, side: int) -> None:
    x = torch.tensor([side * distance], dtype=torch.float64, requires_grad=True)
    check_gradients(torch.relu, x)
    with pytest.raises(GradientCheckError, match="the gradient is wrong at"):
        check_gradients(lambda x: torch.relu(x) + x.detach() * 1e-3, x)


def test_inputs_without_gradient_are_left_out() -> None:
    check_gradients(lambda x, i: x[i], [normal(4), torch.tensor([0, 3])])
    assert check_gradients(torch.sum, normal(0)) is None


def test_the_check_names_what_is_wrong() -> None:
    x = normal(2)
    with pytest.raises(ValueError, match="inputs must hold a tensor that requires a gradient"):
        check_gradients(torch.sin, x.detach())
    with pytest.raises(TypeError, match="x must be float64"):
        check_gradients(lambda x: x.sin(), normal(2, dtype=torch.float32))
    with pytest.raises(TypeError, match="f must return a floating-point tensor"):
        check_gradients(lambda x: x.argmax(), x)
    with pytest.raises(ValueError, match="f must return a tensor with a gradient"):
        check_gradients(lambda x: x.detach(), x)
    with pytest.raises(ValueError, match="order must be one of '1', '2', got '3'"):
        check_gradients(torch.sin, x, order=3)
