"""The contract at calls of one's own: what is checked, what gives no verdict, and what is meant."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cs224d_l3.gradient_check import GradientCheckError, check_call, check_function, check_gradients
from cs224d_l3.gradient_check.properties import PROPERTIES
from evidence.planted_bugs import ENTRIES
from helpers import normal, wrong_by

BY_NAME = {entry.name: entry for entry in ENTRIES}


def test_everything_but_what_requires_a_gradient_stays_as_it_is() -> None:
    seen: list[Any] = []

    def f(
        x: Tensor, mask: Tensor, parts: dict[str, list[Tensor]], mode: str, none: None
    ) -> tuple[Tensor, dict[str, Any]]:
        seen.append((mask.dtype, parts["index"][0].dtype, mode, none))
        return x.masked_fill(mask, 0.0), {"rows": parts["w"][0][parts["index"][0]], "n": 3}

    x, w = normal(2, 3), normal(4, 2)
    parts = {"w": [w], "index": [torch.tensor([1, 3])]}
    report = check_call(f, x, torch.tensor([True, False, True]), parts, mode="mean", none=None)
    assert set(seen) == {(torch.bool, torch.int64, "mean", None)}
    assert report.runs["gradients"] == report.runs["subsets"] == report.calls == 1
    assert x.grad is None


def test_calls_are_checked_one_by_one_and_a_wrong_one_is_named() -> None:
    fn = wrong_by(1.001)
    assert check_function(torch.tanh, calls=[(normal(2),), (normal(3, 1),)]).runs["gradients"] == 2
    with pytest.raises(GradientCheckError, match="check 'gradients'.*d/dx_0"):
        check_function(fn, calls=[(normal(2),)])
    with pytest.raises(ValueError, match=r"calls\[0\].*requires a gradient"):
        check_call(torch.tanh, normal(2).detach())
    with pytest.raises(TypeError, match="calls.*Tensor"):
        check_function(torch.tanh, calls=[normal(2)])
    with pytest.raises(ValueError, match="declaration or calls"):
        check_function(torch.tanh)


@pytest.mark.parametrize(
    ("fn", "shapes"),
    [
        (lambda x, W: (x @ W).abs(), [(2, 3), (3, 2)]),  # complex in, real out
        (torch.fft.fft, [(4,)]),
    ],
)
def test_complex_numbers_are_pairs_of_real_ones(fn: Callable[..., Tensor], shapes: list[tuple[int, ...]]) -> None:
    inputs = [torch.randn(s, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)) for s in shapes]
    assert check_call(fn, *(x.requires_grad_() for x in inputs)).runs["gradients"] == 1


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_sparse_tensors_are_differentiated_by_what_they_store(layout: torch.layout) -> None:
    A = torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, 3.0]], dtype=torch.float64).to_sparse(layout=layout)
    seen: list[torch.layout] = []

    def product(A: Tensor, y: Tensor, factor: float = 1.0) -> Tensor:
        seen.append(A.layout)
        gradient = A.to_dense() @ y
        return gradient * factor if factor == 1.0 else gradient + (factor - 1) * (gradient - gradient.detach())

    y = normal(3, 2)
    assert check_call(product, A, y).runs["gradients"] == 1
    assert check_call(product, A.requires_grad_(), y).runs["subsets"] == 1
    assert set(seen) == {layout}
    with pytest.raises(GradientCheckError, match=r"check 'gradients'.*d/dA\[(?s:.*)to_sparse\(.*requires_grad_"):
        check_call(product, A, y.detach(), factor=1.001)


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_sparse_gradients_are_checked_as_dense_ones(factor: float) -> None:
    class Rows(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, L: Tensor, i: Tensor) -> Tensor:
            ctx.save_for_backward(i)
            ctx.shape = L.shape
            return L[i]

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> tuple[Tensor, None]:
            (i,) = ctx.saved_tensors
            return torch.sparse_coo_tensor(i[None], factor * d, ctx.shape, check_invariants=False), None

    L, i = normal(4, 2).requires_grad_(), torch.tensor([0, 2, 2])
    if factor == 1.0:
        report = check_call(Rows.apply, L, i)
        assert report.runs["gradients"] == report.runs["second_order"] == report.runs["precisions"] == 1
    else:
        with pytest.raises(GradientCheckError, match="check 'gradients'.*1.001 times"):
            check_call(Rows.apply, L, i)


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_custom_operator(factor: float) -> None:
    @torch.library.custom_op(f"cs224d_l3_tests::cube_{factor}".replace(".", "_"), mutates_args=())
    def cube(x: Tensor, k: float) -> Tensor:
        return k * x**3

    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.k = inputs[1]

    def backward(ctx: Any, d: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return factor * 3 * ctx.k * x**2 * d, None

    cube.register_autograd(backward, setup_context=setup_context)
    if factor == 1.0:
        report = check_call(cube, normal(3).requires_grad_(), 2.0)
        assert report.runs["gradients"] == report.runs["second_order"] == report.runs["returned_gradients"] == 1
        assert "cube_1_0" in report.unsupported["forward_mode"]
    else:
        with pytest.raises(
            GradientCheckError, match=r"check 'gradients'(?s:.*)y = torch.ops.cs224d_l3_tests.cube_1_001\("
        ):
            check_call(cube, normal(3).requires_grad_(), 2.0)


@pytest.mark.long
def test_a_module_is_checked_by_its_parameters_too() -> None:
    shared = nn.Linear(3, 3)
    # with affine=True: torch reads a strided weight wrongly when it differentiates batch_norm
    module = nn.Sequential(shared, nn.Tanh(), shared, nn.BatchNorm1d(3, affine=False))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    report = check_call(module, torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    assert report.runs["gradients"] == report.runs["subsets"] == 1
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    options = {"constants": {"output_size": None}, "seed": 0}  # these reach a Module's calls, too
    unpool, index = nn.MaxUnpool1d(1), torch.tensor([[[0, 1]]])
    assert check_function(unpool, calls=[(normal(1, 1, 2), index)], **options).runs["gradients"] == 1
    assert check_function(nn.Dropout(), calls=[(normal(8),)], seed=0).runs["gradients"] == 1
    assert check_gradients(nn.Linear(3, 2), torch.randn(2, 3, requires_grad=True)).verdict == "ok"


# functions that are right, each of a kind that is easily called wrong
RIGHT: dict[str, tuple[Callable[..., Any], str, dict[str, Any]]] = {
    "a view of an input": (lambda x: x.mT, "x=n m", {}),
    "the mean of nothing": (lambda x: x.mean(), "x=...", {}),
    "a gradient that is zero up to rounding": (lambda x: x.softmax(-1).sum(), "x=n K", {}),
    "a constant direction": (lambda x: F.batch_norm(x, None, None, training=True), "x=n d", {}),
    "a singular matrix": (torch.linalg.inv, "A=n n", {}),
    "ties": (lambda x: x.sort().values, "x=n", {}),
    "a median of ties": (torch.median, "x=n", {}),
    "a matrix of one meaning": (torch.linalg.cholesky, "A=n n spd", {}),
    "float32 inside": (lambda x: x.float().tanh().double(), "x=n", {}),
    "a dtype by choice": (F.softmax, "x=n K", {"constants": {"dim": -1, "dtype": torch.float32}}),
    "data": (F.binary_cross_entropy_with_logits, "z=n, t=n unit data", {}),
    "refused sizes": (torch.amax, "x=n m", {}),
    "an unbounded gradient": (F.normalize, "x=n d", {}),
    "outside the domain": (torch.log, "x=n", {}),
    "narrow jumps": (torch.fmod, "x=n, y=n positive", {}),
    "f'' with a jump": (F.huber_loss, "x=n, y=n", {}),
    "singular values that tie": (torch.linalg.svdvals, "A=n m", {}),
    "neighbours that are refused": (lambda x: x.log() if (x > 0).all() else _refuse(), "x=n positive", {}),
    "randomness, seeded": (F.dropout, "x=n", {"seed": 0}),
    "its own backward pass inside": (lambda x: _own_gradient(x), "x=n", {"skip": ["second_order"]}),
}


def _refuse() -> Tensor:
    raise ValueError("x must be above 0")


def _own_gradient(x: Tensor) -> Tensor:
    theta = torch.tensor(1.0, dtype=x.dtype, requires_grad=True)
    (theta**2).backward()
    return x * theta.grad


@pytest.mark.long
@pytest.mark.parametrize("name", RIGHT)
def test_right_functions_raise_no_alarm(name: str) -> None:
    fn, declaration, options = RIGHT[name]
    report = check_function(fn, declaration, **options)
    assert report.runs["gradients"] > 0


@pytest.mark.long
def test_calls_without_a_verdict_are_counted() -> None:
    report = check_function(torch.log, "x=n")
    assert 0 < report.runs["gradients"] < report.calls
    assert report.reasons["gradients"]["the value is not finite"] > 0
    report = check_function(torch.amax, "x=n m")
    assert sum(report.refused.values()) > 0
    assert "refused" in str(report)


@pytest.mark.long
def test_what_never_applied_is_shown_and_can_be_required() -> None:
    report = check_function(torch.sin, "x=n")
    assert set(report.never_applied) == {"returned_gradients", "subsets", "repeated_arguments"}
    assert "NEVER APPLIED" in str(report)
    with pytest.raises(GradientCheckError, match="check 'subsets'.*never applied"):
        check_function(torch.sin, "x=n", require=["subsets"])


# for every check, a function and a declaration to which it cannot apply
SILENT: dict[str, tuple[Callable[..., Any], str, dict[str, Any]]] = {
    "gradients": (torch.sin, "x=0", {}),
    "returned_gradients": (torch.sin, "x=n", {}),
    "subsets": (torch.sin, "x=n", {}),
    "repeated_arguments": (torch.sin, "x=n", {}),
    "second_order": (lambda x: x.sin(), "x=n", {"surrogate": torch.sin}),
    "forward_mode": (lambda x: x.sin(), "x=n", {"surrogate": torch.sin}),
    "precisions": (torch.sin, "x=n", {"dtype": torch.float32}),
} | {
    check: (lambda x: x.log(), "x=2", {"domains": {"x": (-2.0, -1.0)}})
    for check in PROPERTIES
    if check not in ("returned_gradients", "finiteness", "reference")
}


@pytest.mark.long
@pytest.mark.parametrize("check", SILENT)
def test_no_check_returns_in_silence(check: str) -> None:
    fn, declaration, options = SILENT[check]
    report = check_function(fn, declaration, examples=2, skip=set(PROPERTIES) - {check}, **options)
    assert report.runs[check] == 0
    assert check in report.never_applied
    assert report.reasons[check]
