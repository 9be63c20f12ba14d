"""What can be said to the checker: what is meant, kinds of arguments, dtypes, budgets; and kinks and ties."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from cs224d_l3.gradient_check import GradientCheckError, check_call, check_function, strategies
from cs224d_l3.gradient_check.__main__ import describe_checks, main
from cs224d_l3.gradient_check.properties import PROPERTIES
from evidence.planted_bugs import ENTRIES, function
from helpers import normal, wrong_by

BY_NAME = {entry.name: entry for entry in ENTRIES}


@pytest.mark.long
def test_a_sum_left_to_autograd_can_be_allowed() -> None:
    entry = BY_NAME["linear, bias without its sum"]
    with pytest.raises(GradientCheckError, match="unreduced"):
        check_function(entry.fn, entry.declaration)
    check_function(entry.fn, entry.declaration, allow=["unreduced"])


@pytest.mark.long
def test_a_backward_pass_that_writes_to_what_it_saved_is_called_so() -> None:
    def backward(d: Tensor, x: Tensor, output: Tensor) -> Tensor:
        found = d * 3 * x**2
        x.data.mul_(2)
        return found

    with pytest.raises(GradientCheckError) as error:
        check_function(function(lambda x: x**3, backward), "x=n")
    assert "gradients" not in error.value.report.failures
    assert {"repetition", "no_mutation"} & error.value.report.failures.keys()


@pytest.mark.long
def test_second_order_is_checked_at_any_size() -> None:
    entry = BY_NAME["saved tensors detached"]
    assert check_call(torch.tanh, normal(5, 8)).runs["second_order"] == 1
    x = normal(5, 8)
    with pytest.raises(GradientCheckError, match="check 'second_order'"):
        check_call(entry.fn, x)


@pytest.mark.long
def test_once_differentiable_is_not_a_failure_and_silence_is() -> None:
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, grad_output: Tensor) -> Tensor:
            return grad_output * 3 * ctx.saved_tensors[0] ** 2

    class Silent(Once):
        @staticmethod
        def backward(ctx: Any, grad_output: Tensor) -> Tensor:
            return grad_output.detach() * 3 * ctx.saved_tensors[0].detach() ** 2

    assert "once_differentiable" in check_function(Once.apply, "x=n").unsupported["second_order"]
    with pytest.raises(GradientCheckError, match="check 'second_order'.*once_differentiable"):
        check_function(Silent.apply, "x=n")


@pytest.mark.long
@pytest.mark.parametrize("slope", [-0.5, 1.5, 2.0])
def test_at_a_kink_the_value_lies_between_the_slopes_of_the_sides(slope: float) -> None:
    def relu(at_zero: float) -> Callable[..., Tensor]:
        return function(torch.relu, lambda d, x, output: d * torch.where(x == 0, at_zero, (x > 0).double()))

    for at_zero in (0.0, 0.5, 1.0):
        check_function(relu(at_zero), "x=n", skip=["precisions"])
    with pytest.raises(GradientCheckError, match="check 'gradients'.*kink"):
        check_function(relu(slope), "x=n", skip=["precisions"])


@pytest.mark.long
def test_both_sides_of_a_tie_are_not_summed() -> None:
    both = function(torch.maximum, lambda d, x, y, output: (d * (x >= y), d * (y >= x)))
    with pytest.raises(GradientCheckError, match="check 'gradients'"):
        check_function(both, "x=n, y=n")


@pytest.mark.long
@pytest.mark.parametrize("threshold", [1e-1, 1e-2, 1e-3, 1e-4])
def test_thresholds_near_zero_are_crossed(threshold: float) -> None:
    fn = function(torch.sin, lambda d, x, output: d * x.cos() * torch.where(x.abs() < threshold, 1.01, 1.0))
    with pytest.raises(GradientCheckError, match="check 'gradients'"):
        check_function(fn, "x=n")


@pytest.mark.long
def test_what_is_meant_can_be_said() -> None:
    straight_through = function(torch.round, lambda d, x, output: d)
    with pytest.raises(GradientCheckError, match="surrogate="):
        check_function(straight_through, "x=n")
    assert check_function(straight_through, "x=n", surrogate=lambda x: 1.0 * x).runs["gradients"] > 0
    with pytest.raises(GradientCheckError):
        check_function(straight_through, "x=n", surrogate=lambda x: 1.001 * x)
    approximate = wrong_by(1.01)
    check_function(approximate, "x=n", tolerance=0.02, skip=["second_order"])
    with pytest.raises(GradientCheckError):
        check_function(approximate, "x=n", tolerance=0.001, skip=["second_order"])
    with pytest.raises(ValueError, match="allow.*'anything'"):
        check_function(torch.sin, "x=n", allow=["anything"])


@pytest.mark.long
def test_one_dtype_alone() -> None:
    def f(x: Tensor) -> Tensor:
        if x.dtype != torch.float32:
            raise TypeError(f"float32 alone, got {x.dtype}")
        return x.tanh()

    assert check_function(f, "x=n", dtype=torch.float32).runs["gradients"] > 0
    with pytest.raises(GradientCheckError, match="refuses every call.*float64"):
        check_function(f, "x=n")


@pytest.mark.long
@pytest.mark.parametrize(
    ("declaration", "holds"),
    [
        ("x=T>=3 n, y=T n+1", lambda x, y: x.shape[0] >= 3 and y.shape == (x.shape[0], x.shape[1] + 1)),
        ("x=3d", lambda x: x.ndim == 3),
        ("x=n, m=n bool", lambda x, m: m.dtype == torch.bool and m.shape == x.shape),
        ("x=n positive", lambda x: (x > 0).all()),
        ("x=n unit", lambda x: ((x > 0) & (x < 1)).all()),
        ("x=n K simplex", lambda x: x.shape[1] == 0 or torch.allclose(x.sum(-1), torch.ones(len(x)).double())),
        ("x=n distinct", lambda x: x.unique().numel() == x.numel()),
        ("x=n n symmetric", lambda x: torch.equal(x, x.mT)),
        ("x=n n spd", lambda x: (torch.linalg.eigvalsh(x) > 0.5).all()),
        ("x=n n triangular", lambda x: torch.equal(x, x.tril()) and (x.diagonal() > 0).all()),
        ("x=n n orthogonal", lambda x: torch.allclose(x @ x.mT, torch.eye(len(x)).double())),
        ("x=n d unit_norm", lambda x: x.shape[1] == 0 or torch.allclose(x.norm(dim=-1), torch.ones(len(x)).double())),
        ("x=n integers", lambda x: torch.equal(x, x.round())),
    ],
)
def test_kinds_of_arguments(declaration: str, holds: Callable[..., bool]) -> None:
    seen = []

    def f(*arguments: Tensor) -> Tensor:
        seen.append(all(x.requires_grad == (x.dtype != torch.bool) for x in arguments))
        return sum((x.double() ** 2).sum() for x in arguments)

    check_function(f, declaration, examples=4, skip=set(PROPERTIES) - {"gradients"})
    assert seen
    for seed in range(20):
        assert holds(*_draw(declaration, seed).values())


def _draw(declaration: str, seed: int) -> dict[str, Tensor]:
    from cs224d_l3.gradient_check.declaration import fit, named_sizes
    from cs224d_l3.gradient_check.inputs import KINDS, fill_all

    declared = strategies.parse(declaration)
    sizes = {name: (seed + k) % 4 for k, name in enumerate(named_sizes(declared.arguments))}
    return fill_all(declared, fit(declared, sizes, (2,)), KINDS[seed % len(KINDS)], seed).values


def test_an_error_shows_where_a_declaration_stops_making_sense() -> None:
    with pytest.raises(ValueError, match=r"\bW\b.*'n\*2'") as error:
        check_function(torch.sin, "x=n, W=m n*2 k")
    lines = str(error.value).splitlines()
    assert lines[2].index("^") == lines[1].index("n*2")
    assert "simplex" in lines[3]
    with pytest.raises(ValueError, match=r"\bx\b.*'W=m'.*commas"):
        check_function(torch.mul, "x=n W=m")


@pytest.mark.long
def test_arguments_are_made_of_what_is_drawn() -> None:
    from hypothesis import strategies as st

    def make(x: Tensor, y: Tensor) -> tuple[list[Tensor], int]:
        return [x, y], 0

    check_function(torch.cat, "x=n m, y=k m", make=make)
    check_function(torch.add, "x=n, y=n", fixed={"y": lambda shape, generator: torch.rand(shape, generator=generator)})
    own = st.integers(1, 3).map(lambda n: torch.full((2,), float(n), dtype=torch.float64))
    assert check_function(torch.mul, "x=2, y=2", fixed={"y": own}).runs["gradients"] > 0
    assert check_function(torch.sin, "x=n", sizes=[8, 16]).runs["gradients"] > 0


def test_a_budget_ends_the_checks_and_says_so() -> None:
    report = check_function(torch.sin, "x=...", seconds=1e-9)
    assert report.unfinished
    assert "NOT FINISHED" in str(report)
    assert report.runs["gradients"] == 0


@pytest.mark.long
def test_an_iteration_that_cannot_converge_in_half_precision_ends() -> None:
    def root(x: Tensor) -> Tensor:
        y = x.abs() + 1
        while ((y * y - x.abs() - 1).abs() > 1e-10).any():
            y = (y + (x.abs() + 1) / y) / 2
        return y

    report = check_function(root, "x=n positive", examples=2, skip=set(PROPERTIES) - {"precisions"})
    assert "operations" in report.unsupported["precisions"]


def test_the_list_explains_every_check() -> None:
    lines = "\n".join(describe_checks())
    assert all(check in lines and f"skip=['{check}']" in lines for check in PROPERTIES)


@pytest.mark.slow
def test_a_death_of_the_interpreter_is_a_sentence(
    tmp_path: Any, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    (tmp_path / "deadly.py").write_text(
        "import os, torch\n"
        "def f(x):\n"
        "    if torch._C._functorch.peek_interpreter_stack() is not None:\n"
        "        os.abort()\n"
        "    return x.sin()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["deadly:f", "x=n"]) == 1
    error = capfd.readouterr().err
    assert "check 'batching'" in error
    assert "SIGABRT" in error
    assert "y = f(x)" in error
