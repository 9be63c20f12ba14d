"""The hand-written gradients, measured: against torch's operators in every mode, and along five roads.

python scripts/check_gradients.py                  all tables, about a minute
python scripts/check_gradients.py tanh affine      the rows asked for
python scripts/check_gradients.py --device cuda

An entry is the largest error, in spacings of the type (1 is one rounding), against torch's operator in float64; two
stars mark what is neither within 8 of them nor within half as much again as torch's own operator in that type.
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
from evidence.five_roads import ROADS, ROADS_THROUGH_TIME, errors, networks, recurrent_layers
from evidence.operations import LAYOUTS, OPERATIONS

# the columns of the first table: what each of them sums up
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
    worst = max(error.ours for error in found)
    return f"{worst:.1f}" if all(error.ok for error in found) else f"**{worst:.1f}**"


def main(
    functions: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    device: Literal["cpu", "cuda"] = "cpu",
    backend: Literal["inductor", "aot_eager"] = "inductor",
    roads: int = 60,
) -> None:
    """Measure the hand-written gradients.

    Args:
        functions: those to be measured; all where none is named.
        device: where.
        backend: of torch.compile; inductor needs a C++ compiler.
        roads: random networks, and recurrent layers, that the five roads are walked on.
    """
    unknown = [name for name in functions if name not in OPERATIONS]
    if unknown:
        raise SystemExit(
            f"functions must be among {', '.join(map(repr, OPERATIONS))}, got {', '.join(map(repr, unknown))}"
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("device cuda: torch finds no GPU here")
    warnings.simplefilter("ignore")
    names = functions or tuple(OPERATIONS)

    cells: dict[tuple[str, str], list[Error]] = defaultdict(list)
    refused = tried = 0
    for name in tqdm(names, unit="function"):
        for transform in EAGER:
            for dtype in DTYPES:
                for layout in LAYOUTS:
                    error = measure(name, transform, dtype, layout, device)
                    tried += 1
                    if error is None:
                        refused += 1
                        continue
                    for column in (transform, str(dtype).removeprefix("torch."), layout):
                        cells[name, column].append(error)
        for how in TRACED:
            cells[name, how].append(measure_traced(name, how, backend, device))

    saved = {name: f"{ours / torchs:.2f}" for name in names for ours, torchs in [measure_saved(name)]}
    table(
        "Function",
        [*MODES, "saved bytes, ours / torch's"],
        [[n, *(entry([e for c in parts for e in cells[n, c]]) for parts in MODES.values()), saved[n]] for n in names],
    )
    columns = [*(str(dtype).removeprefix("torch.") for dtype in DTYPES), *LAYOUTS]
    table("Function", columns, [[name, *(entry(cells[name, column]) for column in columns)] for name in names])
    print(
        f"{tried - refused} combinations of function, mode, type and layout measured; {refused} more left out, where "
        "torch's own operator refuses a batch of nothing.\n"
    )
    table(
        "Five roads to one gradient, largest relative error",
        ["layers of a network", "steps of a recurrent layer"],
        [
            [road, f"{error:.0e}", f"{through_time:.0e}"]
            for (road, error), through_time in zip(
                errors(ROADS, networks(roads)).items(),
                errors(ROADS_THROUGH_TIME, recurrent_layers(roads)).values(),
                strict=True,
            )
        ],
    )


if __name__ == "__main__":
    tyro.cli(main)
