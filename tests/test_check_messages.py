"""What the checker says of a fault: one name, the call as code that shows it, and what would excuse it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cs224d_l3.gradient_check import GradientCheckError, check_call, check_function
from evidence.planted_bugs import ENTRIES, function
from helpers import normal, wrong_by

BY_NAME = {entry.name: entry for entry in ENTRIES}


@pytest.mark.long
def test_every_failing_check_is_named_with_what_would_excuse_it() -> None:
    with pytest.raises(GradientCheckError) as error:
        check_function(wrong_by(2.0), "x=n")
    assert {"gradients", "second_order"} <= error.value.report.failures.keys()
    for check, text in error.value.report.failures.items():
        assert f"check '{check}'" in text
        assert "If that is meant: " in text


def test_the_printed_grad_output_is_the_one_that_shows_the_fault() -> None:
    def backward(d: Tensor, x: Tensor, output: Tensor) -> Tensor:
        return d * x.cos() * (2 if int(d.count_nonzero()) == 1 else 1)

    with pytest.raises(GradientCheckError) as error:
        check_function(function(torch.sin, backward), calls=[(normal(3).requires_grad_(),)])
    assert "v = torch.tensor([0.0, 0.0, -0.75]" in error.value.report.failures["gradients"]


def test_a_printed_call_does_not_take_the_name_of_an_argument() -> None:
    def product(y: Tensor, v: Tensor) -> Tensor:
        wrong: Tensor = wrong_by(2.0)(y) * v
        return wrong

    with pytest.raises(GradientCheckError) as error:
        check_call(product, normal(3), normal(3))
    assert "torch.autograd.grad(y_, [y, v], v_, allow_unused=True)" in error.value.report.failures["gradients"]


def failures_of(fn: Callable[..., Any], declaration: str = "x=n", **options: Any) -> dict[str, str]:
    with pytest.raises(GradientCheckError) as error:
        check_function(fn, declaration, **options)
    failures: dict[str, str] = error.value.report.failures
    return failures


def test_a_backward_pass_that_raises_is_one_failure_and_hides_no_other() -> None:
    def backward(d: Tensor, x: Tensor, output: Tensor) -> Tensor:
        if len(x) == 3:
            raise IndexError("too many indices")
        return 2 * x * d if len(x) > 3 else 2.002 * x * d

    failures = failures_of(function(lambda x: x**2, backward))
    assert "IndexError: too many indices" in failures["backward"]
    assert not any("IndexError" in text for check, text in failures.items() if check != "backward")
    assert "gradients" in failures


def test_the_smaller_call_has_the_same_fault() -> None:
    """Of two faults under one check, the search for a smaller call must not go over to the other."""

    def backward(d: Tensor, x: Tensor, output: Tensor) -> Tensor:
        if x.ndim > 1:
            d.view(-1)  # of a strided grad_output impossible
            return 2 * d
        return 2 * d.abs()

    assert "view" in failures_of(function(lambda x: 2 * x, backward), "x=...")["incoming_gradients"]


def test_a_random_backward_pass_is_named_so_and_can_be_seeded() -> None:
    def backward(d: Tensor, x: Tensor, output: Tensor) -> Tensor:
        return d * 2 * (torch.rand_like(x) > 0.5)

    failures = failures_of(function(lambda x: 2 * x, backward))
    assert failures.keys() == {"call"}
    assert "random" in failures["call"]
    assert "seed=0" in failures["call"]
    state = torch.get_rng_state()
    assert "repetition" not in failures_of(function(lambda x: 2 * x, backward), seed=0, examples=2)
    assert torch.equal(torch.get_rng_state(), state)


def test_values_stay_of_their_kind() -> None:
    """No simplex without an element, and none whose rows are repeated."""

    class Entropy(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, p: Tensor) -> Tensor:
            ctx.save_for_backward(p)
            return -(p * p.log()).sum(-1)

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> Tensor:
            (p,) = ctx.saved_tensors
            assert torch.allclose(p.sum(-1), torch.ones((), dtype=p.dtype), atol=0.05)
            return d[..., None] * (-p.log() - 1)

    check_function(Entropy.apply, "p=K simplex", examples=2)
    check_function(lambda x: (x * x / x.norm(dim=-1, keepdim=True)).sum(), "x=n unit_norm", examples=2)


def test_what_is_given_is_given_and_not_written_to() -> None:
    def masked(x: Tensor, mask: None) -> Tensor:
        assert mask is None
        return x.exp()

    check_function(masked, "x=n, mask=", fixed={"mask": None}, examples=1)
    with pytest.raises(ValueError, match=r"fixed\['f'\].*constants="):
        check_function(lambda x, f: f(x, x), "x=n, f=", fixed={"f": torch.mul})

    class Bank(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, bank: Tensor) -> Tensor:
            ctx.bank = bank
            return x @ bank.mT

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> tuple[Tensor, None]:
            found = d @ ctx.bank
            ctx.bank.mul_(0.5)
            return found, None

    bank = torch.ones(4, 3, dtype=torch.float64)
    with pytest.raises(GradientCheckError, match="no_mutation"):
        check_call(Bank.apply, normal(2, 3), bank)
    assert (bank == 1).all()


def test_a_function_of_float32_alone_is_told_how() -> None:
    with pytest.raises(GradientCheckError, match=r"refuses every call.*dtype=torch\.float32") as error:
        check_function(lambda x: x @ torch.ones(3), "x=3", examples=1)
    assert error.value.report.refused
    assert check_function(lambda x: x @ torch.ones(3), "x=3", examples=1, dtype=torch.float32).runs["gradients"]


def test_a_report_of_mostly_refused_calls_says_so_first() -> None:
    def picky(x: Tensor) -> Tensor:
        if len(x) != 2:
            raise ValueError("two elements")
        return x.sin()

    assert "CALLS WERE REFUSED" in str(check_function(picky, "x=n", sizes=[3, 4, 2])).splitlines()[0]


def _pasted(text: str, fn: Callable[..., Any], name: str) -> list[Any]:
    """What the lines of a printed call give that are expressions."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    scope: dict[str, Any] = {name: fn, "torch": torch}
    results = []
    for line in lines:
        if line.startswith("torch."):
            results.append(eval(line, scope))
        elif not line.startswith(("import", "from", "#")):
            exec(line, scope)
    return results


def test_printed_calls_show_the_fault_when_they_are_pasted() -> None:
    class Kept(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
            ctx.w = w
            ctx.save_for_backward(x)
            return x * w

        @staticmethod
        def backward(ctx: Any, d: Tensor) -> tuple[Tensor, Tensor]:
            (x,) = ctx.saved_tensors
            return d * ctx.w, d * x

    text = failures_of(Kept.apply, "x=n, w=n")["saving"]
    assert "w.detach().mul_" in text
    assert torch.is_tensor(_pasted(text, Kept, "Kept")[-1][0])

    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
            ctx.save_for_backward(x)
            return x * x, x * 3

        @staticmethod
        def backward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return 2 * a * x

    text = failures_of(Two.apply)["gradients"]
    by_formula = float(text.partition("by formula ")[2].split(",")[0])
    assert any(abs(by_formula - g) < 1e-9 for g in _pasted(text, Two, "Two")[-1][0].tolist())

    entry = BY_NAME["linear, bias without its sum"]
    assert "torch.autograd.grad" in failures_of(entry.fn, entry.declaration)["returned_gradients"]

    def trace(A: Tensor) -> Tensor:
        wrong: Tensor = wrong_by(2.0)(A @ A).sum(-1)
        return wrong

    text = failures_of(trace, "A=n n symmetric", skip=["second_order", "forward_mode"])["gradients"]
    by_formula = float(text.partition("by formula ")[2].split(",")[0])
    assert any(abs(by_formula - g) < 1e-8 for g in _pasted(text, trace, "trace")[-1][0].flatten().tolist())

    def low(d: Tensor, x: Tensor, output: Tensor) -> Tensor:
        return d * (1 if x.dtype == torch.float64 else 2)

    def twice(x: Tensor) -> tuple[Tensor, Tensor]:
        wrong: Tensor = function(lambda x: 1 * x, low)(x)
        return wrong, 3 * wrong

    text = failures_of(twice)["precisions"]
    *_, (found,) = _pasted(text, twice, "twice")
    assert found.dtype != torch.float64

    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"h": wrong_by(2.0)(self.layer(x))}

    module = Doubled()
    with pytest.raises(GradientCheckError) as error:
        check_call(module, normal(1, 2))
    text = error.value.report.failures["gradients"]
    by_formula = float(text.partition("by formula ")[2].split(",")[0])
    gradients = [g for each in _pasted(text, module, "Doubled")[-1] for g in each.flatten().tolist()]
    assert any(abs(by_formula - g) < 1e-8 for g in gradients)

    def transposed(d: Tensor, x: Tensor, output: Tensor) -> Tensor:
        return d * x.cos() * (1 if x.is_contiguous() else 2)

    text = failures_of(function(torch.sin, transposed), "x=n>=2 m>=2")["input_layouts"]
    assert ".contiguous().mT" in text
    text = failures_of(function(torch.sin, lambda d, x, output: d.abs() * x.cos()))["incoming_gradients"]
    assert len([line for line in text.splitlines() if "torch.autograd.grad" in line]) == 2
