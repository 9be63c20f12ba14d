"""Tests the claims of the notes empirically, on the Python reference and on scikit-learn's digits.

python scripts/claims.py                 all claims over five seeds, a table and a picture each; under ten minutes
python scripts/claims.py 2.3 --seeds 3

A claim is confirmed if the claimed difference, paired by seed, exceeds 0 by more than two standard errors. Otherwise it
is not confirmed, which does not refute it.
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

Columns = dict[str, list[float]]  # measurements by condition, one per seed


class Claim(NamedTuple):
    """A claim of the notes, its experiment, and the differences that must be positive."""

    section: str
    text: str
    measure: Callable[[int], dict[str, Any]]
    unit: str
    differences: Callable[[Columns], list[list[float]]]  # each claimed to be positive, one value per seed
    form: str = "{:.1f}"


def more(a: str, b: str, margin: float = 0.0) -> Callable[[Columns], list[list[float]]]:
    """Claim that condition a exceeds condition b by at least ``margin``."""
    return lambda columns: [[x - y - margin for x, y in zip(columns[a], columns[b], strict=True)]]


def _alike(columns: Columns) -> list[list[float]]:
    """Claim that all conditions differ by at most two points."""
    pairs = [(a, b) for a in columns for b in columns if a != b]
    return [[2 - (x - y) for x, y in zip(columns[a], columns[b], strict=True)] for a, b in pairs]


def _both(*claims: Callable[[Columns], list[list[float]]]) -> Callable[[Columns], list[list[float]]]:
    """Conjunction of claims."""
    return lambda columns: [difference for claim in claims for difference in claim(columns)]


def _preserves_variance(columns: Columns) -> list[list[float]]:
    """Claim that with Xavier's rule standard deviations change less from the first to the last layer; lower loss."""

    def change(name: str) -> list[float]:
        return [
            abs(math.log(last / first)) for first, last in zip(columns[f"{name} 1"], columns[f"{name} 5"], strict=True)
        ]

    changes = [
        [a - b for a, b in zip(change(f"uniform, {name}"), change(f"Xavier, {name}"), strict=True)]
        for name in ("activations", "errors")
    ]
    return [*changes, *more("uniform, loss", "Xavier, loss")(columns)]


CLAIMS = [
    Claim("1.3", "a window network beats a linear window classifier, word vectors frozen", experiments.hidden_layer,
          "F1", more("tanh, frozen", "linear, frozen")),
    Claim("1.3", "the same where word vectors are trained", experiments.hidden_layer,
          "F1", more("tanh, trained", "linear, trained")),
    Claim("1.4", "the value of the margin does not matter (within 2 points)", experiments.margin,
          "% of pairs won", _alike),
    Claim("1.6", "matrices are much faster than loops (at least 10 times)", experiments.vectorised,
          "time, loops / matrices", lambda c: [[x - 10 for x in c[name]] for name in c if name != "4-2-1"]),
    Claim("2.1", "differences cost two passes a parameter, and detect an error of 0.1 %", experiments.numerical,
          "", lambda c: [[1e-9 - abs(x - 2) for x in c["passes a parameter"]],
                         *more("error, planted", "error, right")(c)], "{:.2g}"),
    Claim("2.2", "L2 reduces the generalization gap (λ = 0.01)", experiments.penalty,
          "test loss - training loss", more("0", "0.01"), "{:.3f}"),
    Claim("2.3", "tanh converges faster than sigmoid", experiments.convergence,
          "loss after 3 epochs", more("sigmoid", "tanh"), "{:.2f}"),
    Claim("2.3", "hard tanh is cheaper than tanh", experiments.cost,
          "ns an element", more("tanh", "hardtanh"), "{:.2f}"),
    Claim("2.3", "softsign saturates later than tanh", experiments.saturation,
          "% of units beyond 0.95", more("tanh", "softsign")),
    Claim("2.3", "leaky ReLU avoids the dead units of ReLU", experiments.dead,
          "% of units with zero gradient", more("relu", "leaky_relu")),
    Claim("2.4", "Xavier's rule preserves variances across layers, and trains faster", experiments.xavier,
          "standard deviation; loss", _preserves_variance, "{:.2g}"),
    Claim("2.5", "too large a learning rate does not converge, too small a one is slow", experiments.rate,
          "loss after 8 epochs", _both(more("10", "0.1"), more("0.01", "0.1")), "{:.2f}"),
    Claim("2.5", "annealing the learning rate lowers the loss", experiments.annealing,
          "loss of the last epoch", more("constant", "annealed"), "{:.4f}"),
    Claim("2.6", "AdaGrad is more accurate on rare words than SGD", experiments.rare,
          "% accuracy, words seen 1 to 3 times", more("AdaGrad", "SGD")),
]  # fmt: skip


def is_confirmed(differences: Sequence[Sequence[float]]) -> bool:
    """Whether all mean differences exceed 0 by more than two standard errors; False for a single seed."""
    if min(map(len, differences)) < 2:
        return False
    return all(
        statistics.mean(d) > 2 * statistics.stdev(d) / math.sqrt(len(d)) and statistics.mean(d) > 0 for d in differences
    )


def by_condition(found: Sequence[dict[str, Any]]) -> Columns:
    """Transpose measurements from seeds to conditions; every element of a list is a condition of its own."""
    columns: Columns = {}
    for numbers in found:
        for name, value in numbers.items():
            values = value if isinstance(value, list) else [value]
            for i, number in enumerate(values, start=1):
                columns.setdefault(f"{name} {i}" if len(values) > 1 else name, []).append(float(number))
    return columns


def picture(claim: Claim, columns: Columns) -> Figure:
    """Plot of all seeds and their mean by condition; of the means by layer if the conditions are layers."""
    drawing, (ax,) = figure(6.0, 3.5)
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
    return drawing


def check(
    sections: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    seeds: int = 5,
    threads: int = 1,
    out: Path = Path("runs/claims"),
) -> None:
    """Test the notes' claims.

    Args:
        sections: sections of the notes to test; none: all.
        seeds: number of random seeds, of training and data split; at least two for a verdict.
        threads: CPU threads.
        out: output folder of the pictures.
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
        shown = columns
        if any("activations" in name for name in columns):  # first and last layer only
            shown = {n: v for n, v in columns.items() if n[-2:] in (" 1", " 5") or n.endswith("loss")}
        means = ", ".join(f"{name} {claim.form.format(statistics.mean(v))}" for name, v in shown.items())
        verdict = "confirmed" if is_confirmed(claim.differences(columns)) else "not confirmed"
        lines.append([claim.section, claim.text, f"{claim.unit}: {means}".removeprefix(": "), verdict])
        with mpl.rc_context(STYLE):
            save(picture(claim, columns), out / f"{claim.section}-{i}", ("svg", "png"))
    table("section", ["claim", f"mean of {seeds} seeds", "verdict"], lines)
    print(f"{len(lines)} claims in {time.perf_counter() - start:.0f} s; pictures in {out}")


def main() -> None:
    tyro.cli(check)


if __name__ == "__main__":
    run(main)
