"""Compares our gradient checker with torch.autograd.gradcheck, on planted bugs and on torch's operators.

python scripts/compare_checkers.py bugs        all planted bugs and all correct Functions
python scripts/compare_checkers.py operators   the samples of torch's op_db (needs the package expecttest)
python scripts/compare_checkers.py contract    every check on torch's functions, Modules and operators
python scripts/compare_checkers.py network     one wrong entry of 4,096, off by 1 %, in a network of 4,810 parameters
"""

import contextlib
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any, Literal
from unittest import mock

import torch
import tyro
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten
from tqdm import tqdm

from cs224d_l3.gradient_check import GradientCheckError, check_function, check_gradients
from cs224d_l3.gradient_check.strategies import parse
from evidence.planted_bugs import ENTRIES, Entry
from evidence.torch_functions import alarms, check_functions, check_modules

GRADCHECK: dict[str, Callable[..., bool]] = {
    "gradcheck": lambda f, x: torch.autograd.gradcheck(f, x),
    "+ gradgradcheck": lambda f, x: torch.autograd.gradcheck(f, x) and torch.autograd.gradgradcheck(f, x),
    "all its options": lambda f, x: (
        torch.autograd.gradcheck(f, x, check_undefined_grad=True, check_batched_grad=True)
        and torch.autograd.gradgradcheck(f, x, check_batched_grad=True)
        and _forward_mode(f, x)
    ),
}


def _forward_mode(f: Callable[..., Any], x: Sequence[Tensor]) -> bool:
    """Gradcheck in forward mode; True for functions without one."""
    try:
        with torch.autograd.forward_ad.dual_level():
            f(*(torch.autograd.forward_ad.make_dual(t.detach(), t.detach()) if t.is_floating_point() else t for t in x))
    except (RuntimeError, NotImplementedError):
        return True
    return torch.autograd.gradcheck(
        f, x, check_forward_ad=True, check_batched_forward_grad=True, check_batched_grad=True
    )


def usual_inputs(entry: Entry) -> list[Tensor]:
    """Typical inputs of a gradient check: standard normal, with a different size for each dimension."""
    generator = torch.Generator().manual_seed(0)
    sizes: dict[str, int] = {}
    inputs = []
    for argument in parse(entry.declaration).arguments:
        shape = [int(d) if d.isdigit() else sizes.setdefault(d, 3 + len(sizes)) for d in argument.dims if d != "..."]
        shape = [3, 4] if "..." in argument.dims else shape
        if argument.below:
            inputs.append(torch.randint(sizes.setdefault(argument.below, 3 + len(sizes)), shape, generator=generator))
        else:
            inputs.append(torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_())
    return inputs


def passes(check: Callable[[], object]) -> bool:
    """Whether a check raises no exception of any type."""
    try:
        check()
    except Exception:
        return False
    return True


def bugs() -> None:
    """Compare detection and false-alarm rates on the planted bugs."""
    found: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    misjudged = []
    for entry in tqdm(ENTRIES, disable=None, leave=False):
        verdicts = {"ours": passes(lambda e=entry: check_function(e.fn, e.declaration))}
        for name, check in GRADCHECK.items():
            verdicts[name] = passes(lambda c=check, e=entry: c(e.fn, usual_inputs(e)))
        for name, ok in verdicts.items():
            if not ok:
                (alarms if entry.family == "correct" else found)[name] += 1
        if verdicts["ours"] != (entry.family == "correct"):
            misjudged.append(f"{entry.family}: {entry.name}")
    wrong = sum(entry.family != "correct" for entry in ENTRIES)
    print(f"{'':18} found of {wrong}   false alarms of {len(ENTRIES) - wrong}")
    for name in ("ours", *GRADCHECK):
        print(f"{name:18} {found[name]:8} {alarms[name]:12}")
    print("misjudged by ours:", ", ".join(misjudged) or "none")


def samples(dtype: torch.dtype, most: int) -> Iterator[tuple[str, Callable[..., Any], list[Tensor]]]:
    """(operator, function, inputs) from torch's op_db, up to ``most`` per operator."""
    from torch.testing._internal.common_methods_invocations import op_db

    for op in op_db:
        if not op.supports_autograd or dtype not in op.supported_backward_dtypes("cpu"):
            continue
        with contextlib.suppress(Exception):  # a few samples need packages that are not installed
            # extract_test_fn would search the stack for a unittest
            with mock.patch("torch.testing._internal.common_utils.extract_test_fn", create=True, return_value=None):
                op_samples = op.sample_inputs("cpu", dtype, requires_grad=True)
            for sample in islice(op_samples, most):
                leaves, spec = tree_flatten((sample.input, sample.args, sample.kwargs))
                positions = [i for i, x in enumerate(leaves) if isinstance(x, Tensor)]

                def f(
                    *tensors: Tensor,
                    leaves: Any = leaves,
                    spec: Any = spec,
                    positions: Any = positions,
                    op: Any = op,
                    sample: Any = sample,
                ) -> Any:
                    filled = list(leaves)
                    for i, t in zip(positions, tensors, strict=True):
                        filled[i] = t
                    input_, args, kwargs = tree_unflatten(filled, spec)
                    out = op.gradcheck_wrapper(op.get_op(), input_, *args, **kwargs)
                    return sample.output_process_fn_grad(out) if sample.output_process_fn_grad else out

                inputs = [leaves[i] for i in positions]
                if any(x.requires_grad for x in inputs):
                    yield ".".join(filter(None, (op.name, op.variant_test_name))), f, inputs


def operators(dtype: torch.dtype, most: int) -> None:
    """Check torch's operators with both checkers, and print verdicts, times and alarms."""
    verdicts: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    operators_seen, alarms = set(), []
    for name, f, inputs in tqdm(samples(dtype, most), disable=None, leave=False):
        # times exclude the largest samples, for which slow gradcheck takes minutes
        timed = dtype == torch.float64 and sum(x.numel() for x in inputs) <= 300
        clock = time.perf_counter()
        try:
            report = check_gradients(f, inputs, raise_exception=False)
            verdict, finding = report.verdict, "".join(map(str, report.findings[:1]))
        except (TypeError, ValueError) as error:
            verdict, finding = f"refused: {str(error)[:40]}", ""
        seconds["ours"] += timed * (time.perf_counter() - clock)
        verdicts[verdict] += 1
        operators_seen.add(name)
        gradcheck = {}
        for mode in ("slow", "fast") if timed else ():
            clock = time.perf_counter()
            gradcheck[mode] = passes(lambda: torch.autograd.gradcheck(f, inputs, fast_mode=mode == "fast"))  # noqa: B023
            seconds[f"{mode} gradcheck"] += time.perf_counter() - clock
        if verdict == "fail":
            slow = "" if not timed else ", passes slow gradcheck" if gradcheck["slow"] else ", fails slow gradcheck too"
            alarms.append(f"{name}{slow}: {finding}")
    print(f"{dtype}: {len(operators_seen)} operators, {sum(verdicts.values())} samples: {dict(verdicts)}")
    print({name: f"{s:.0f} s" for name, s in seconds.items()})
    print("\n".join(alarms))


def contract(most: int) -> None:
    """All checks on torch's own functions, Modules and operators."""
    for what, found in {
        "functions": check_functions(),
        "Modules": check_modules(),
        "operators": (
            alarms(lambda f=f, x=x, name=name: check_function(f, calls=[x], seconds=60, name=name), name)
            for name, f, x in samples(torch.float64, most)
            if all(t.layout == torch.strided for t in x)
        ),
    }.items():
        by_subject = list(tqdm(found, disable=None, leave=False))
        alarming = [line for lines in by_subject for line in lines]
        unexpected = [line for line in alarming if "NOT EXPECTED" in line]
        print(f"{what}: {len(by_subject)} checked, {len(alarming)} alarms, {len(unexpected)} of them not expected")
        print("\n".join(alarming))


class Linear(torch.autograd.Function):
    """Linear Function with one entry of W's gradient scaled by 1.01."""

    wrong: tuple[int, ...] | None = None

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor) -> Tensor:
        ctx.save_for_backward(x, W)
        return x @ W.T

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> Any:
        x, W = ctx.saved_tensors
        g = d.T @ x
        if Linear.wrong and W.shape == (64, 64):
            g[Linear.wrong] *= 1.01
        return d @ W, g


def network() -> None:
    """Compare time and detection of one wrong entry in a network."""

    def f(x: Tensor, W: Tensor, b: Tensor, U: Tensor, c: Tensor) -> Tensor:
        return Linear.apply(torch.tanh(Linear.apply(x, W) + b), U) + c

    inputs = [torch.randn(s, dtype=torch.float64) for s in [(8, 64), (64, 64), (64,), (10, 64), (10,)]]
    inputs = [x / 8 if x.ndim > 1 else x for x in inputs]
    inputs = [inputs[0], *(x.requires_grad_() for x in inputs[1:])]
    print(f"{sum(x.numel() for x in inputs[1:]):,} parameters")
    seconds = {}
    for name, check in {
        "ours": lambda: check_gradients(f, inputs),
        "slow gradcheck": lambda: torch.autograd.gradcheck(f, inputs),
        "fast gradcheck": lambda: torch.autograd.gradcheck(f, inputs, fast_mode=True),
    }.items():
        check()  # warm up: imports, one-time caches
        clock = time.perf_counter()
        check()
        seconds[name] = time.perf_counter() - clock
    named = fast = 0
    for _ in range(20):
        i, j = torch.randint(64, (2,)).tolist()
        Linear.wrong = (i, j)
        try:
            check_gradients(f, inputs)
        except GradientCheckError as error:
            named += f"d/dW[{i}, {j}]" in str(error)
        fast += not passes(lambda: torch.autograd.gradcheck(f, inputs, fast_mode=True))
    Linear.wrong = None
    print(f"one wrong entry: found and named by ours {named} of 20 times, found by fast gradcheck {fast} of 20 times")
    print("clean check:", ", ".join(f"{name} {s:.3f} s" for name, s in seconds.items()))
    print(f"ours / slow gradcheck {seconds['ours'] / seconds['slow gradcheck']:.4f}")


def main(
    what: Annotated[Literal["bugs", "operators", "contract", "network"], tyro.conf.Positional],
    dtype: Literal["float64", "float32", "bfloat16", "float16"] = "float64",
    samples: int = 3,
) -> None:
    """Compare our gradient checker with torch's.

    Args:
        what: planted bugs, torch's operators, every check on torch's own code, or the network with one wrong entry.
        dtype: type of the operators' samples.
        samples: maximum number of samples per operator.
    """
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    if what == "bugs":
        bugs()
    elif what == "operators":
        operators(getattr(torch, dtype), samples)
    elif what == "contract":
        contract(samples)
    else:
        network()


if __name__ == "__main__":
    tyro.cli(main)
