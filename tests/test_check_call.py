"""The contract at calls of one's own: what is checked, what gives no verdict, and what is meant."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cs224d_l3.gradient_check import GradientCheckError, check_call, check_function, check_gradients, strategies
from cs224d_l3.gradient_check.__main__ import describe_checks, main
from cs224d_l3.gradient_check.properties import PROPERTIES
from evidence.planted_bugs import ENTRIES, function
from helpers import normal

BY_NAME = {entry.name: entry for entry in ENTRIES}


def wrong_by(factor: float) -> Callable[..., Tensor]:
    """tanh, its gradient off by a factor."""
    return function(torch.tanh, lambda d, x, output: factor * d * (1 - output**2))


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
        d.view(-1)  # of a strided grad_output impossible
        return 2 * d if x.ndim == 2 else 3 * d

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
