"""Measures the errors of the hand-written gradients, against torch's operators in every mode, and with five methods.

python scripts/check_gradients.py                  all tables, about a minute
python scripts/check_gradients.py tanh affine      only these rows
python scripts/check_gradients.py --device cuda

An entry is the largest error against torch's operator in float64, in machine epsilons of the type (1 is one rounding).
Bold (**) marks errors that exceed both 8 and 1.5 times the error of torch's operator in the same type.
"""

import warnings
from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import tyro
from tqdm import tqdm

from benchmarks.tables import table
from evidence.conformance import DTYPES, EAGER, TRACED, Error, measure, measure_saved, measure_traced
from evidence.gradient_methods import METHODS, METHODS_THROUGH_TIME, errors, networks, recurrent_layers
from evidence.operations import LAYOUTS, OPERATIONS

# columns of the first table, and the modes each of them aggregates
MODES: dict[str, tuple[str, ...]] = {
    "forward": ("forward",),
    "backward": ("backward",),
    "2nd order": ("second order",),
    "forward mode": ("forward mode", "func.jvp"),
    "vmap": ("vmap", "vmap of vjp"),
    "jacrev, jacfwd, hessian": ("jacrev", "jacfwd", "hessian", "jacfwd twice"),
    "autocast": ("autocast",),
    "compile": ("compile", "compile dynamic", "compile of func"),
    "export": ("export",),
}


def entry(found: Sequence[Error]) -> str:
    """Table cell of the largest error, bold if any is not ok."""
    largest = max(error.ours for error in found)
    return f"{largest:.1f}" if all(error.ok for error in found) else f"**{largest:.1f}**"


def main(
    functions: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    device: Literal["cpu", "cuda"] = "cpu",
    backend: Literal["inductor", "aot_eager"] = "inductor",
    roads: int = 60,
) -> None:
    """Measure the errors of the hand-written gradients.

    Args:
        functions: functions to measure; none: all.
        device: cpu or cuda.
        backend: backend of torch.compile; inductor needs a C++ compiler.
        roads: number of random networks, and of recurrent layers, on which the five methods are compared.
    """
    unknown = [name for name in functions if name not in OPERATIONS]
    if unknown:
        raise SystemExit(
            f"functions must be among {', '.join(map(repr, OPERATIONS))}, got {', '.join(map(repr, unknown))}"
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("device must be cpu where torch finds no GPU, got cuda")
    warnings.simplefilter("ignore")
    names = functions or tuple(OPERATIONS)

    cells: dict[tuple[str, str], list[Error]] = defaultdict(list)
    unsupported = total = 0
    for name in tqdm(names, unit="function"):
        for transform in EAGER:
            for dtype in DTYPES:
                for layout in LAYOUTS:
                    error = measure(name, transform, dtype, layout, device)
                    total += 1
                    if error is None:
                        unsupported += 1
                        continue
                    for column in (transform, str(dtype).removeprefix("torch."), layout):
                        cells[name, column].append(error)
        for how in TRACED:
            cells[name, how].append(measure_traced(name, how, backend, device))

    saved = {name: f"{ours / reference:.2f}" for name in names for ours, reference in [measure_saved(name)]}
    table(
        "Function",
        [*MODES, "saved bytes, ours / torch's"],
        [[n, *(entry([e for c in parts for e in cells[n, c]]) for parts in MODES.values()), saved[n]] for n in names],
    )
    columns = [*(str(dtype).removeprefix("torch.") for dtype in DTYPES), *LAYOUTS]
    table("Function", columns, [[name, *(entry(cells[name, column]) for column in columns)] for name in names])
    print(
        f"{total - unsupported} combinations of function, mode, type and layout measured; {unsupported} skipped, as "
        "torch's operator does not support an empty batch.\n"
    )
    table(
        "Five methods for one gradient, largest relative error",
        ["layers of a network", "steps of a recurrent layer"],
        [
            [method, f"{error:.0e}", f"{through_time:.0e}"]
            for (method, error), through_time in zip(
                errors(METHODS, networks(roads)).items(),
                errors(METHODS_THROUGH_TIME, recurrent_layers(roads)).values(),
                strict=True,
            )
        ],
    )


if __name__ == "__main__":
    tyro.cli(main)
