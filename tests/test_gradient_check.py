"""2.1 The checker is itself checked."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cs224d_l3 import GradientCheckError, check_gradients, numerical_gradient, numerical_jacobian, relative_error
from helpers import normal, seeds


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
    with pytest.raises(TypeError, match=r"theta.*torch\.float32"):
        numerical_gradient(torch.sum, x.float())
    with pytest.raises(ValueError, match=r"\bJ\b.*\(2,\)"):
        numerical_gradient(torch.sin, x)
    with pytest.raises(ValueError, match=r"\bJ\b.*\bfloat\b"):
        numerical_gradient(lambda x: 1.0, x)
    with pytest.raises(ValueError, match=r"\bh\b.*0\.0"):
        numerical_gradient(torch.sum, x, h=0.0)


def test_relative_error_is_symmetric_and_free_of_scale() -> None:
    a, b = normal(5, grad=False), normal(5, seed=1, grad=False)
    assert relative_error(a, b) == relative_error(b, a) == pytest.approx(relative_error(1e6 * a, 1e6 * b))
    assert relative_error(a, a) == relative_error(torch.zeros(2), torch.zeros(2)) == relative_error(a[:0], a[:0]) == 0
    with pytest.raises(ValueError, match=r"\bb\b.*\(4,\)"):
        relative_error(a, a[:4])


class Scaled(torch.autograd.Function):
    """sin, with a gradient that is wrong at one element by a factor."""

    @staticmethod
    def forward(ctx, x: Tensor, index: tuple[int, ...], factor: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.index, ctx.factor = index, factor
        return x.sin()

    @staticmethod
    def backward(ctx, grad_y: Tensor):
        (x,) = ctx.saved_tensors
        gradient = grad_y * x.cos()
        gradient[ctx.index] *= ctx.factor
        return gradient, None, None


@given(seed=seeds, i=st.integers(0, 2), j=st.integers(0, 3), factor=st.sampled_from([0.0, -1.0, 0.999, 1.001, 2.0]))
def test_the_wrong_element_is_named(seed: int, i: int, j: int, factor: float) -> None:
    x = normal(3, 4, seed=seed).detach().clamp(-1.2, 1.2).requires_grad_()
    with pytest.raises(GradientCheckError, match=rf"d/dx\[{i}, {j}\].* \+- "):
        check_gradients(lambda x: Scaled.apply(x, (i, j), factor), x)


@given(seed=seeds)
def test_a_right_gradient_passes(seed: int) -> None:
    x = normal(5, seed=seed)
    report = check_gradients(lambda x: Scaled.apply(x, (0,), 1.0), x, order=2)
    assert report
    assert (report.verdict, report.findings, report.unjudged) == ("ok", [], 0)
    assert report.checked == 2 * 5 + 2 * 10  # two cotangents; in second order by x and by the incoming gradient


def test_a_wrong_second_derivative_is_found_in_second_order_alone() -> None:
    def f(x: Tensor) -> Tensor:
        return x.sin() + 0 * (x.detach() * x)

    class Detached(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, grad_y: Tensor) -> Tensor:
            return grad_y * ctx.saved_tensors[0].detach().cos()

    check_gradients(f, normal(3), order=2)
    check_gradients(Detached.apply, normal(3))
    with pytest.raises(GradientCheckError, match="second order"):
        check_gradients(Detached.apply, normal(3), order=2)


def test_a_kink_is_not_judged() -> None:
    report = check_gradients(torch.relu, torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64, requires_grad=True))
    assert report.verdict == "inconclusive"
    assert (report.checked, report.unjudged) == (5, 1)  # the single-entry cotangent leaves the kink out


def test_what_has_no_finite_value_is_not_judged() -> None:
    report = check_gradients(torch.sqrt, torch.tensor([0.0, 4.0], dtype=torch.float64, requires_grad=True))
    assert report.verdict == "inconclusive"


@given(distance=st.floats(1e-5, 1e-2), side=st.sampled_from([-1, 1]))
def test_beside_a_kink_a_smaller_step_judges(distance: float, side: int) -> None:
    x = torch.tensor([side * distance], dtype=torch.float64, requires_grad=True)
    check_gradients(torch.relu, x)
    with pytest.raises(GradientCheckError, match=r"d/dx\[0\]"):
        check_gradients(lambda x: torch.relu(x) + x.detach() * 1e-3, x)


def test_inputs_without_gradient_are_left_out() -> None:
    check_gradients(lambda x, i: x[i], [normal(4), torch.tensor([0, 3])])
    assert check_gradients(torch.sum, normal(0)).checked == 0


def test_the_check_names_what_is_wrong() -> None:
    x = normal(2)
    with pytest.raises(ValueError, match="inputs.*gradient"):
        check_gradients(torch.sin, x.detach())
    with pytest.raises(TypeError, match="complex"):
        check_gradients(torch.abs, torch.ones(2, dtype=torch.complex128, requires_grad=True))
    with pytest.raises(ValueError, match=r"\bf\b.*non-deterministic"):
        check_gradients(lambda x: x * torch.rand(()), x)
    with pytest.raises(ValueError, match=r"\bf\b.*RuntimeError: ouch"):
        check_gradients(lambda x: (_ for _ in ()).throw(RuntimeError("ouch")), x)
    with pytest.raises(TypeError, match=r"\bf\b.*floating-point"):
        check_gradients(lambda x: x.argmax(), x)
    with pytest.raises(ValueError, match=r"\bf\b.*gradient"):
        check_gradients(lambda x: x.detach(), x)
    with pytest.raises(ValueError, match=r"order.*\b3\b"):
        check_gradients(torch.sin, x, order=3)


@pytest.mark.long
@settings(max_examples=25)
@given(seed=seeds, dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]))
def test_low_precision_is_judged_at_its_own(seed: int, dtype: torch.dtype) -> None:
    def f(x: Tensor, W: Tensor) -> Tensor:
        return torch.tanh(x @ W.T).square()

    x, W = normal(3, 4, seed=seed, dtype=dtype), normal(2, 4, seed=seed + 1, dtype=dtype)
    assert check_gradients(f, [x, W])
    with pytest.raises(GradientCheckError):
        check_gradients(lambda x, W: f(x, W) + f(x, W).detach() * 4 - 4 * f(x, W), [x, W])


@pytest.mark.long
@settings(max_examples=10)
@given(seed=seeds, i=st.integers(0, 63), j=st.integers(0, 63))
def test_one_wrong_entry_of_4096_is_found_and_named(seed: int, i: int, j: int) -> None:
    def f(x: Tensor, W: Tensor) -> Tensor:
        return torch.tanh(x @ Scaled.apply(W, (i, j), 1.01).T / 8)

    with pytest.raises(GradientCheckError, match=rf"d/dW\[{i}, {j}\]"):
        check_gradients(f, [normal(8, 64, seed=seed, grad=False), normal(64, 64, seed=seed + 1)])


@pytest.mark.parametrize(
    ("backward", "hint"),
    [
        (lambda d, x: -d * x.cos(), "-1 times"),
        (lambda d, x: 0 * d, "zero"),
        (lambda d, x: (d * x.cos()).T, "transpose"),
        (lambda d, x: d * x.cos() * torch.tensor([1.0, 2.0, 1.0]), "3 of 9"),
        (lambda d, x: d * x.cos() / torch.zeros(()), "not finite"),
    ],
)
def test_the_hint_says_what_to_look_at(backward, hint: str) -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, grad_y: Tensor) -> Tensor:
            found: Tensor = backward(grad_y, *ctx.saved_tensors)
            return found

    with pytest.raises(GradientCheckError, match=hint) as error:
        check_gradients(Wrong.apply, normal(3, 3), names=["theta"])
    assert "d/dtheta[" in str(error.value)
    assert error.value.report is not None
    assert error.value.report.verdict == "fail"
    assert not check_gradients(Wrong.apply, normal(3, 3), raise_exception=False)


@given(seed=seeds)
def test_the_jacobian_and_its_bound_hold(seed: int) -> None:
    def f(x: Tensor, W: Tensor) -> Tensor:
        return torch.tanh(W @ x) * x.sum()

    inputs = [normal(3, seed=seed, grad=False), normal(2, 3, seed=seed + 1, grad=False)]
    exact = torch.autograd.functional.jacobian(f, tuple(inputs))
    for found, right in zip(numerical_jacobian(f, inputs), exact, strict=True):
        assert found.value.shape == right.shape
        assert ((found.value - right).abs() <= found.bound + 1e-13).all()
        assert (found.bound < 1e-6).all()


def test_a_wrong_batching_rule_does_not_mislead_the_jacobian() -> None:
    from evidence.planted_bugs import VmapFirst

    x, y = normal(4, 5, grad=False), normal(4, 5, seed=1, grad=False)
    found = numerical_jacobian(VmapFirst.apply, [x, y])
    torch.testing.assert_close(found[0].value.reshape(20, 20), torch.diag(y.flatten()))
