"""2.3 The six units, each against torch's own."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from cs224d_l3 import (
    UNITS,
    Hardtanh,
    LeakyReLU,
    hardtanh,
    leaky_relu,
    relu,
    sigmoid,
    softsign,
    tanh,
)
from evidence.gradient_methods import TORCH_UNITS
from helpers import EPS, assert_same_gradients, normal

each_unit = pytest.mark.parametrize("name", UNITS)
KINKS = [-1.0, -0.0, 0.0, 1.0]
TAILS = [-1e300, -1e30, -745.0, -88.0, -20.0, 20.0, 88.0, 745.0, 1e30, 1e300]

points = st.lists(st.floats(-50, 50) | st.sampled_from(KINKS + TAILS), max_size=6)


def column(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@each_unit
@given(values=points)
def test_unit_and_its_gradients_are_torchs(name: str, values: list[float]) -> None:
    assert_same_gradients(UNITS[name].f, TORCH_UNITS[name], column(values))


@each_unit
@pytest.mark.parametrize("dtype", EPS)
def test_unit_is_torchs_in_every_precision(name: str, dtype: torch.dtype) -> None:
    z = (4 * normal(50)).to(dtype)
    assert UNITS[name].f(z).dtype == dtype
    exact = TORCH_UNITS[name](z.double())
    assert ((UNITS[name].f(z).double() - exact).abs() <= 2 * EPS[dtype] * exact.abs().clamp(min=EPS[dtype])).all()


@each_unit
@given(values=points)
def test_prime_is_the_derivative(name: str, values: list[float]) -> None:
    z = column(values)
    (expected,) = torch.autograd.grad(TORCH_UNITS[name](z).sum(), z, materialize_grads=True)
    torch.testing.assert_close(UNITS[name].f_prime(z), expected)


@each_unit
@given(values=points)
def test_prime_is_read_off_the_output(name: str, values: list[float]) -> None:
    unit, z = UNITS[name], column(values).detach()
    torch.testing.assert_close(unit.f_prime_of_a(unit.f(z)), unit.f_prime(z))


@each_unit
@pytest.mark.parametrize("dtype", EPS)
def test_gradient_in_one_buffer_is_the_plain_one(name: str, dtype: torch.dtype) -> None:
    """create_graph asks for the formula, its absence for the same in place."""
    z, grad_a = (3 * normal(1000, seed=1, grad=False)).to(dtype).requires_grad_(), normal(1000, dtype=dtype, grad=False)
    (plain,) = torch.autograd.grad(UNITS[name].f(z), z, grad_a, create_graph=True)
    (quick,) = torch.autograd.grad(UNITS[name].f(z), z, grad_a)
    torch.testing.assert_close(quick, plain.detach(), rtol=4 * EPS[dtype], atol=EPS[dtype])


@each_unit
def test_derivatives_stay_finite_at_the_tails(name: str) -> None:
    for dtype in EPS:
        z = torch.tensor([-torch.finfo(dtype).max, torch.finfo(dtype).max, -300, 300], dtype=dtype, requires_grad=True)
        a = UNITS[name].f(z)
        a.sum().backward()
        assert z.grad is not None
        assert a.isfinite().all()
        assert z.grad.isfinite().all()


def test_softsign_keeps_a_small_derivative_in_half_precision() -> None:
    z = torch.tensor([300.0], dtype=torch.float16, requires_grad=True)
    softsign(z).backward()
    torch.testing.assert_close(z.grad.double().item(), 1 / 301**2, rtol=0.01, atol=0)


@each_unit
def test_module_is_its_function(name: str) -> None:
    z = normal(5)
    assert torch.equal(UNITS[name].module()(z), UNITS[name].f(z))


@given(z=points.map(column))
def test_tanh_is_odd(z: Tensor) -> None:
    assert torch.equal(tanh(-z), -tanh(z))


@given(z=points.map(column))
def test_tanh_is_a_sigmoid_stretched(z: Tensor) -> None:
    torch.testing.assert_close(tanh(z), 2 * sigmoid(2 * z) - 1)


@given(z=points.map(column))
def test_sigmoid_of_opposites_adds_up_to_one(z: Tensor) -> None:
    torch.testing.assert_close(sigmoid(z) + sigmoid(-z), torch.ones_like(z))


@given(z=points.map(column), k=st.floats(0.001, 0.999))
def test_leaky_relu_is_the_larger_of_z_and_kz(z: Tensor, k: float) -> None:
    assert torch.equal(leaky_relu(z, k), torch.maximum(z, k * z))
    assert_same_gradients(lambda z: leaky_relu(z, k), lambda z: F.leaky_relu(z, k), z)


@given(z=points.map(column))
def test_relu_splits_z_in_two(z: Tensor) -> None:
    assert torch.equal(relu(z) - relu(-z), z)


@given(z=points.map(column))
def test_hardtanh_is_tanh_made_of_relus(z: Tensor) -> None:
    z = z.clamp(-60, 60)
    torch.testing.assert_close(hardtanh(z), relu(z + 1) - relu(z - 1) - 1)


@given(z=points.map(column), low=st.floats(-3, 0), high=st.floats(0, 3))
def test_hardtanh_between_other_bounds_is_torchs(z: Tensor, low: float, high: float) -> None:
    assert_same_gradients(lambda z: hardtanh(z, low, high), lambda z: F.hardtanh(z, low, high), z)


def test_modules_show_their_settings() -> None:
    assert repr(Hardtanh(-2, 2)) == "Hardtanh(min_val=-2, max_val=2)"
    assert repr(LeakyReLU(0.2)) == "LeakyReLU(negative_slope=0.2)"


@each_unit
def test_units_refuse_what_is_no_floating_point_tensor(name: str) -> None:
    for wrong, kind in (
        (torch.arange(3), "int64"),
        (torch.ones(2, dtype=torch.complex64), "complex64"),
        (1.0, "float"),
    ):
        with pytest.raises(TypeError, match=rf"\bz\b.*\b{kind}\b"):
            UNITS[name].f(wrong)


def test_settings_of_units_are_checked() -> None:
    z = torch.zeros(1)
    with pytest.raises(ValueError, match="negative_slope.*nan"):
        leaky_relu(z, math.nan)
    with pytest.raises(ValueError, match="max_val.*-1"):
        hardtanh(z, 1, -1)
    with pytest.raises(TypeError, match="negative_slope.*'0.1'"):
        LeakyReLU("0.1")


def test_half_precision_that_cannot_hold_the_bounds() -> None:
    z = torch.tensor([0.1, -0.1, 0.2, 0.0], dtype=torch.float16, requires_grad=True)
    for f in (hardtanh, F.hardtanh):
        (g,) = torch.autograd.grad(f(z, -0.1, 0.1).sum(), z)
        assert g.tolist() == [1.0, 1.0, 0.0, 1.0]


def test_a_large_error_does_not_overflow_half_precision() -> None:
    z = torch.tensor([1.0, -3.0], dtype=torch.float16, requires_grad=True)
    for name in UNITS:
        (g,) = torch.autograd.grad(UNITS[name].f(z), z, torch.full((2,), 40_000.0, dtype=torch.float16))
        assert g.isfinite().all()


def test_nan_passes_the_error_as_in_torch() -> None:
    z = torch.tensor([torch.nan], requires_grad=True)
    for f in (relu, hardtanh, leaky_relu):
        torchs = TORCH_UNITS[f.__name__]
        expected = torch.autograd.grad(torchs(z), z, torch.ones(1))
        for create_graph in (False, True):
            assert torch.equal(torch.autograd.grad(f(z), z, torch.ones(1), create_graph=create_graph)[0], expected[0])


@each_unit
def test_symbolic_tracing_records_a_unit_as_one_call(name: str) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), UNITS[name].module())
    traced = torch.fx.symbolic_trace(net)
    assert [node.target for node in traced.graph.nodes if node.op == "call_function"] == [UNITS[name].f]
    x = normal(4, 3, dtype=torch.float32, grad=False)
    assert traced(x).equal(net(x))


def test_bounds_of_two_types_are_exported_as_one() -> None:
    graph = make_fx(Hardtanh(-0.5, 2))(torch.zeros(3)).graph
    (clamp,) = [node for node in graph.nodes if node.target is torch.ops.aten.clamp.default]
    assert [type(bound) for bound in clamp.args[1:]] == [float, float]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_traced_softsign_writes_into_no_buffer() -> None:
    (call,) = torch.jit.trace(softsign, torch.zeros(3)).graph.nodes()
    inputs = {node.kind(): len(list(node.inputs())) for node in call.g("Subgraph").nodes()}
    assert inputs["aten::div"] == 2  # not a third one, out=, which ONNX has no operator for
