"""The contract check: what it finds, what it passes, what it says."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

import cs224d_l3
from cs224d_l3 import UNITS, Layer, WindowScorer
from cs224d_l3.gradient_check import GradientCheckError, check_function, check_module, strategies
from cs224d_l3.gradient_check.__main__ import check
from cs224d_l3.gradient_check.properties import PROPERTIES as CHECKS
from evidence.planted_bugs import ENTRIES, Entry
from running import start

BY_NAME = {entry.name: entry for entry in ENTRIES}


@pytest.mark.slow
@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.family != "correct"], ids=lambda e: f"{e.family}: {e.name}")
def test_planted_bugs_are_found(entry: Entry) -> None:
    with pytest.raises(GradientCheckError):
        check_function(entry.fn, entry.declaration)


@pytest.mark.long
@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.family == "correct"], ids=lambda e: e.name)
def test_right_functions_pass(entry: Entry) -> None:
    check_function(entry.fn, entry.declaration)


OURS = {
    "affine": "x=... n, W=m n, b=m",
    "embedding": "indices=... < V, L=V d",
    "score": "x=... n, W=m n, b=m, U=1 m",
    "max_margin_loss": "s=..., s_c=...",
    "softmax_cross_entropy": "z=... K, target=... < K",
    "affine_softmax_cross_entropy": "x=... n, W=K n, b=K, target=... < K",
    "activation": "x=... n, w=n, b=",
    "elman": "x=... 3 n, W=m n, H=m m, b=m, a_0=... m",
} | dict.fromkeys(UNITS, "z=...")


@pytest.mark.long
@pytest.mark.parametrize("name", OURS)
def test_our_functions_keep_the_contract(name: str) -> None:
    skip = ["finiteness"] if "loss" in name or "entropy" in name else []  # the mean of an empty batch is nan
    constants = {"reduction": "none"} if skip else None
    check_function(getattr(cs224d_l3, name), OURS[name], constants=constants)


# for every check, a Function that it catches when it stands alone
ALONE = {
    "gradients": "tanh times 1.001",
    "returned_gradients": "linear, bias without its sum",
    "incoming_gradients": "view of the incoming gradient",
    "input_layouts": "view of the input",
    "subsets": "the two swapped",
    "repeated_arguments": "one tensor for both arguments",
    "no_mutation": "incoming gradient overwritten",
    "saving": "input on ctx, not saved",
    "repetition": "tensor on the class, overwritten by the next call",
    "finiteness": "norm' at zero",
    "precisions": "gradient always in float64",
    "second_order": "saved tensors detached",
    "forward_mode": "sign of the second tangent",
    "batching": "in_dims ignored",
    "batched_incoming_gradients": "wrong only in the backward pass",
}


def test_planted_bugs_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(ENTRIES)


def test_every_check_has_a_function_that_it_catches() -> None:
    assert ALONE.keys() == CHECKS.keys() - {"reference"}


@pytest.mark.parametrize("check", ALONE)
def test_the_check_catches_it_alone(check: str) -> None:
    needed = {"gradients"} if check == "forward_mode" else set()  # it asks whether the point can be judged
    entry = BY_NAME[ALONE[check]]
    with pytest.raises(GradientCheckError, match=f"check '{check}'"):
        check_function(entry.fn, entry.declaration, skip=CHECKS.keys() - {check} - needed)


@pytest.mark.long
def test_a_wrong_reference_is_noticed() -> None:
    with pytest.raises(GradientCheckError, match="check 'reference'"):
        check_function(torch.sin, "x=n", reference=torch.cos)
    assert check_function(torch.sin, "x=n", reference=lambda x: x.sin()).runs["reference"] > 0


@pytest.mark.long
def test_the_smallest_call_is_printed_as_code() -> None:
    entry = BY_NAME["linear, bias averaged instead of summed"]
    with pytest.raises(GradientCheckError) as error:
        check_function(entry.fn, entry.declaration, name="fn")
    first, *lines = str(error.value).splitlines()
    assert first.startswith("fn, check 'gradients': the gradient is wrong at d/db[0]")
    code = [line for line in lines[: lines.index("")] if line.startswith("    ")]
    values: dict[str, object] = {"fn": entry.fn}
    exec("\n".join(line.strip() for line in code), values)
    assert values["x"].shape == (2, 2)
    assert values["y"].shape == values["v"].shape
    assert error.value.report.failures.keys() >= {"gradients"}


@pytest.mark.long
def test_what_is_not_supported_is_said_and_can_be_required() -> None:
    report = check_function(BY_NAME["tanh"].fn, "z=...")
    assert "jvp" in report.unsupported["forward_mode"]
    assert re.search(r"forward_mode .*jvp", str(report))
    with pytest.raises(GradientCheckError, match="check 'forward_mode'.*jvp"):
        check_function(BY_NAME["tanh"].fn, "z=...", require=["forward_mode"])
    assert check_function(BY_NAME["with jvp"].fn, "x=n, y=n", require=["forward_mode"])


@pytest.mark.long
def test_constants_domains_and_skips() -> None:
    check_function(torch.log, "x=n", domains={"x": (0.1, None)})
    check_function(torch.nn.functional.leaky_relu, "x=n", constants={"negative_slope": 0.3})
    report = check_function(torch.sin, "x=n", skip=["saving"], examples=3)
    assert report.runs["saving"] == 0
    assert re.search("saving +skipped", str(report))


@pytest.mark.long
def test_modules_are_checked_by_inputs_and_parameters() -> None:
    check_module(Layer(3, 2), "x=... 3", examples=8)
    check_module(nn.LayerNorm(4), "x=batch 4", examples=8)
    scorer = WindowScorer(6, d=2, m=3)
    before = {name: p.clone() for name, p in scorer.state_dict().items()}
    check_module(scorer, "windows=batch 5 < 6", examples=8)
    assert all(torch.equal(p, before[name]) for name, p in scorer.state_dict().items())

    class Wrong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([1.0, 2.0]))

        def forward(self, x: Tensor) -> Tensor:
            return BY_NAME["scale, not summed over the batch"].fn(x, self.w)

    with pytest.raises(GradientCheckError, match="Wrong, check 'returned_gradients'"):
        check_module(Wrong(), "x=batch 2")


def test_random_and_stateful_functions_are_called_so() -> None:
    with pytest.raises(GradientCheckError, match="non-deterministic"):
        check_function(lambda x: x * torch.rand(()), "x=n")


@pytest.mark.parametrize(
    ("fn", "declaration", "message"),
    [
        (torch.sin, "x", "declaration.*'x'"),
        (torch.sin, "x=n*2", r"declaration.*\bx\b.*'n\*2'"),
        (torch.sin, "x=n, x=n", "declaration.*'x=n, x=n'"),
        (torch.sin, "x=... n ...", r"declaration.*\bx\b.*'\.\.\. n \.\.\.'"),
        (torch.sin, "", "declaration.*''"),
        (torch.sin, "i=n < V", "declaration.*index"),
        (lambda x: 3.0, "x=n", r"floating-point.*3\.0"),
        (lambda x: x > 0, "x=n", r"floating-point.*tensor\("),
    ],
)
def test_calls_that_cannot_be_understood(fn, declaration: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_function(fn, declaration)


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match="checks.*'speed'"):
        check_function(torch.sin, "x=n", skip=["speed"])
    with pytest.raises(ValueError, match="domains.*'y'"):
        check_function(torch.sin, "x=n", domains={"y": (0, 1)})
    with pytest.raises(GradientCheckError, match="RuntimeError: .*The size of tensor a"):
        check_function(torch.add, "x=2, y=3")
    with pytest.raises(GradientCheckError, match="check 'call'.*gradient"):
        check_function(lambda x: x.detach(), "x=n")


@given(drawn=strategies.arguments("x=... n, W=m n, i=... < m, s=broadcast, t=broadcast"))
def test_drawn_arguments_fit_their_declaration(drawn: dict[str, Tensor]) -> None:
    x, W, i = drawn["x"], drawn["W"], drawn["i"]
    assert x.shape[-1] == W.shape[1]
    assert i.shape == x.shape[:-1]
    assert i.dtype == torch.int64
    assert not i.numel() or 0 <= i.min() <= i.max() < W.shape[0]
    torch.broadcast_shapes(drawn["s"].shape, drawn["t"].shape)


@given(x=strategies.tensors((3, 4), low=0.5, high=2.0, requires_grad=True))
def test_drawn_tensors_keep_to_their_domain(x: Tensor) -> None:
    assert x.requires_grad
    assert ((x >= 0.5) & (x <= 2)).all()


@pytest.mark.long
def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(["cs224d_l3:tanh", "z=...", "--reference", "torch:tanh", "--examples", "5"]) == 0
    assert capsys.readouterr().out.startswith("tanh: ok")
    assert check(["evidence.planted_bugs:OnCtx.apply", "z=...", "--skip", "batching, second_order"]) == 1
    assert "OnCtx.apply, check 'saving'" in capsys.readouterr().out
    leaky = ["torch.nn.functional:leaky_relu", "z=n", "--constant", "negative_slope=0.2", "--domain", "z=-2:2"]
    assert check([*leaky, "--examples", "5"]) == 0
    capsys.readouterr()
    for wrong, value in (
        (["nowhere:f", "x=n"], "nowhere:f"),
        (["torch:nothing", "x=n"], "torch:nothing"),
        (["torch", "x=n"], "'torch'"),
        (["torch:sin", "x"], "'x'"),
        (["torch:sin", "x=n", "--constant", "k"], "'k'"),
        (["torch:sin", "x=n", "--domain", "x=low"], "'x=low'"),
        (["torch:__version__", "x=n"], "torch:__version__"),
        (["torch:sin", "--calls", "torch:nothing"], "torch:nothing"),
        (["torch:sin", "--calls", "torch:pi"], "float"),
    ):
        assert check(wrong) == 2
        assert value in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_line_as_a_command(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def cube(x):\n    print('noise')\n    return x**3\n"
        "calls = [(torch.ones(2, requires_grad=True),), (torch.ones(1, dtype=torch.float64, requires_grad=True),)]\n"
    )
    result = start("-m", "cs224d_l3.gradient_check", "mine:cube", "x=n m", "--examples", 5, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("cube: ok")
    assert "noise" not in result.stdout
    result = start("-m", "cs224d_l3.gradient_check", "mine:cube", "--calls", "mine:calls", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "ok in 2 of 2 calls" in result.stdout
