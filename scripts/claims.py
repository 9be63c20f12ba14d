"""Puts what the notes assert to the test, on the Python reference and on scikit-learn's digits.

python scripts/claims.py                 all claims over five seeds, a table and a picture each; under ten minutes
python scripts/claims.py 2.3 --seeds 3

A claim is confirmed where the difference that it asserts, seed by seed, is more than two standard errors from 0 in the
asserted direction; and not confirmed otherwise, which is no proof of the contrary.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import matplotlib as mpl
import torch
import tyro
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.tables import table
from cs224d_l3._checks import check_size
from evidence import experiments
from plotting.style import BLUE, PALE, RED, STYLE, figure, save
from training.command import run

Columns = dict[str, list[float]]  # by condition, one number a seed


class Claim(NamedTuple):
    """What is asserted, what is measured, and what must be larger than what."""

    section: str
    text: str
    measure: Callable[[int], dict[str, Any]]
    unit: str
    differences: Callable[[Columns], list[list[float]]]  # each asserted to be above 0, seed by seed
    form: str = "{:.1f}"


def more(a: str, b: str, least: float = 0.0) -> Callable[[Columns], list[list[float]]]:
    """a is larger than b, by ``least`` or more."""
    return lambda columns: [[x - y - least for x, y in zip(columns[a], columns[b], strict=True)]]


def _alike(columns: Columns) -> list[list[float]]:
    """Any two conditions are within two points of each other."""
    pairs = [(a, b) for a in columns for b in columns if a != b]
    return [[2 - (x - y) for x, y in zip(columns[a], columns[b], strict=True)] for a, b in pairs]


def _both(*each: Callable[[Columns], list[list[float]]]) -> Callable[[Columns], list[list[float]]]:
    return lambda columns: [difference for one in each for difference in one(columns)]


def _keeps(columns: Columns) -> list[list[float]]:
    """From the first layer to the last the standard deviations change less by Xavier's rule, and the loss is lower."""

    def change(name: str) -> list[float]:
        return [
            abs(math.log(last / first)) for first, last in zip(columns[f"{name} 1"], columns[f"{name} 5"], strict=True)
        ]

    old = "uniform"
    kept = [
        [a - b for a, b in zip(change(f"{old}, {what}"), change(f"Xavier, {what}"), strict=True)]
        for what in ("activations", "errors")
    ]
    return [*kept, *more(f"{old}, loss", "Xavier, loss")(columns)]


CLAIMS = [
    Claim("1.3", "a window network beats a linear window classifier, word vectors frozen", experiments.hidden_layer,
          "F1", more("tanh, frozen", "linear, frozen")),
    Claim("1.3", "the same where word vectors are trained", experiments.hidden_layer,
          "F1", more("tanh, trained", "linear, trained")),
    Claim("1.4", "the value of the margin does not matter (within 2 points)", experiments.margin,
          "% of pairs won", _alike),
    Claim("1.6", "matrices are far quicker than loops (10 times and more)", experiments.vectorised,
          "time, loops / matrices", lambda c: [[x - 10 for x in c[name]] for name in c if name != "4-2-1"]),
    Claim("2.1", "differences cost two passes a parameter, and find an error of 0.1 %", experiments.numerical,
          "", lambda c: [[1e-9 - abs(x - 2) for x in c["passes a parameter"]],
                         *more("error, planted", "error, right")(c)], "{:.2g}"),
    Claim("2.2", "L2 narrows the gap between training and test (λ = 0.01)", experiments.penalty,
          "test loss less training loss", more("0", "0.01"), "{:.3f}"),
    Claim("2.3", "tanh converges more quickly than sigmoid", experiments.convergence,
          "loss after 3 epochs", more("sigmoid", "tanh"), "{:.2f}"),
    Claim("2.3", "hard tanh is cheaper than tanh", experiments.cost,
          "ns an element", more("tanh", "hardtanh"), "{:.2f}"),
    Claim("2.3", "softsign saturates later than tanh", experiments.saturation,
          "% of units beyond 0.95", more("tanh", "softsign")),
    Claim("2.3", "leaky ReLU keeps gradients alive where ReLU's die", experiments.dead,
          "% of units without gradient", more("relu", "leaky_relu")),
    Claim("2.4", "Xavier's rule keeps variances over layers, and trains more quickly", experiments.xavier,
          "standard deviation; loss", _keeps, "{:.2g}"),
    Claim("2.5", "too large a rate does not converge, too small a one is slow", experiments.rate,
          "loss after 8 epochs", _both(more("10", "0.1"), more("0.01", "0.1")), "{:.2f}"),
    Claim("2.5", "annealing the rate helps", experiments.annealing,
          "loss of the last epoch", more("constant", "annealed"), "{:.4f}"),
    Claim("2.6", "AdaGrad serves rare words better than SGD", experiments.rare,
          "% right, words seen 1 to 3 times", more("AdaGrad", "SGD")),
]  # fmt: skip


def is_confirmed(differences: Sequence[Sequence[float]]) -> bool:
    """All of them above 0 by two standard errors of their means; of one seed alone there is no error to tell."""
    if min(map(len, differences)) < 2:
        return False
    return all(
        statistics.mean(d) > 2 * statistics.stdev(d) / math.sqrt(len(d)) and statistics.mean(d) > 0 for d in differences
    )


def by_condition(found: Sequence[dict[str, Any]]) -> Columns:
    """From seed by seed to condition by condition; a list is a condition for each of its places."""
    columns: Columns = {}
    for numbers in found:
        for name, value in numbers.items():
            several = value if isinstance(value, list) and len(value) > 1 else None
            for i, number in enumerate(several or [value[0] if isinstance(value, list) else value], start=1):
                columns.setdefault(f"{name} {i}" if several else name, []).append(float(number))
    return columns


def picture(claim: Claim, columns: Columns) -> Figure:
    """A dot a seed, and the mean; layer by layer where the conditions are layers."""
    made, (ax,) = figure(5.2, 3.1)
    layers = sorted({name.rsplit(" ", 1)[0] for name in columns if name[-2:-1] == " " and name[-1].isdigit()})
    if layers:
        for name in layers:
            mean = [statistics.mean(columns[f"{name} {k}"]) for k in range(1, 6)]
            ax.plot(range(1, 6), mean, "-o" if "activations" in name else "--s", ms=4,
                    color=BLUE if name.startswith("Xavier") else RED, label=name)  # fmt: skip
        ax.set(yscale="log", xlabel="layer", xticks=range(1, 6), ylabel="standard deviation")
        ax.legend(fontsize=8)
    else:
        shown = [name for name in columns if name != "passes a parameter"]
        for i, name in enumerate(shown):
            values = columns[name]
            ax.plot([i] * len(values), values, "o", color=PALE, ms=5)
            ax.plot([i - 0.2, i + 0.2], [statistics.mean(values)] * 2, color=BLUE, lw=2.5)
        ax.set_xticks(range(len(shown)), shown)
        ax.set_xlim(-0.6, len(shown) - 0.4)
        ax.set_ylabel(claim.unit)
        largest = max(map(statistics.mean, map(columns.__getitem__, shown)))
        smallest = min(map(statistics.mean, map(columns.__getitem__, shown)))
        if smallest > 0 and largest / smallest > 50:
            ax.set_yscale("log")
    ax.set_title(f"{claim.section}  {claim.text}", fontsize=9, loc="left")
    return made


def check(
    sections: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    seeds: int = 5,
    threads: int = 1,
    out: Path = Path("runs/claims"),
) -> None:
    """Put the notes' claims to the test.

    Args:
        sections: those of the notes whose claims are tested; all where none is named.
        seeds: how often, with other numbers drawn and data split otherwise; two at least for a verdict.
        threads: of the processor.
        out: the folder of the pictures.
    """
    check_size("seeds", seeds)
    check_size("threads", threads)
    known = dict.fromkeys(claim.section for claim in CLAIMS)
    if unknown := [section for section in sections if section not in known]:
        raise ValueError(f"sections must be among {', '.join(known)}, got {', '.join(unknown)}")
    torch.set_num_threads(threads)
    chosen = [claim for claim in CLAIMS if not sections or claim.section in sections]
    measured: dict[Any, Columns] = {}
    start, lines = time.perf_counter(), []
    measures = list(dict.fromkeys(claim.measure for claim in chosen))
    for measure in (bar := tqdm(measures, unit="experiment", leave=False, disable=None)):
        bar.set_description(measure.__name__)
        measured[measure] = by_condition([measure(seed) for seed in range(seeds)])
    for i, claim in enumerate(chosen, start=1):
        columns = measured[claim.measure]
        shown = ", ".join(f"{name} {claim.form.format(statistics.mean(v))}" for name, v in columns.items())
        if any("activations" in name for name in columns):  # the first and the last layer tell enough
            kept = {n: v for n, v in columns.items() if n[-2:] in (" 1", " 5") or n.endswith("loss")}
            shown = ", ".join(f"{name} {claim.form.format(statistics.mean(v))}" for name, v in kept.items())
        verdict = "confirmed" if is_confirmed(claim.differences(columns)) else "not confirmed"
        lines.append([claim.section, claim.text, f"{claim.unit}: {shown}".removeprefix(": "), verdict])
        with mpl.rc_context(STYLE):
            made = picture(claim, columns)
            save(made, out / f"{claim.section}-{i}", ("svg", "png"))
    table("section", ["claim", f"mean of {seeds} seeds", "verdict"], lines)
    print(f"{len(lines)} claims in {time.perf_counter() - start:.0f} s; pictures in {out}")


def main() -> None:
    tyro.cli(check)


if __name__ == "__main__":
    run(main)
