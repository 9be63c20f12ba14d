"""Pictures of the lecture's second part."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter
from torch import Tensor

from cs224d_l3 import UNITS
from evidence.bowl import REACH
from plotting.paths import draw_path
from plotting.style import BLUE, INK, PALE, RED, figure
from plotting.units import FORMULAS, draw_unit

from .experiments_2 import Penalised, Quotient, Signals
from .experiments_3 import Rates

FLOOR = 1e-17  # where an error of exactly 0 is drawn
SHADES = ("#222222", "#0072b2", "#56b4e9", "#e69f00", "#d55e00", "#cc79a7")


def step_sizes(found: Mapping[float, Quotient], h: float) -> Figure:
    """Errors of the quotients by step size; the chosen one is marked."""
    drawing, (ax,) = figure(5.6, 3.2)
    for kind, color, name in (
        ("one_sided", RED, "(f(z + h) - f(z)) / h"),
        ("centred", BLUE, "(f(z + h) - f(z - h)) / 2h"),
    ):
        errors = {at: max(abs(getattr(q, kind) - q.exact), FLOOR) for at, q in found.items()}
        ax.loglog(list(errors), list(errors.values()), "-o", color=color, ms=3, lw=1.4, label=f"${name}$")
        ax.plot(h, errors[h], "o", color=color, ms=8)
    ax.axvline(h, color=PALE, lw=0.8, zorder=0)
    ax.set(xlabel="$h$", ylabel="error")
    ax.xaxis.set_major_locator(LogLocator(numticks=8))
    ticks = [FLOOR, 1e-14, 1e-11, 1e-8, 1e-5, 1e-2]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.set_yticks(ticks, ["$0$", *(f"$10^{{{round(torch.tensor(t).log10().item())}}}$" for t in ticks[1:])])
    ax.minorticks_off()
    ax.legend(fontsize=9)
    return drawing


def penalties(found: Sequence[Penalised]) -> Figure:
    """Norm of the weights, and the losses, by epoch, a line for each lambda."""
    drawing, (norms, losses) = figure(6.0, 3.0, 2)
    for run, color in zip(found, SHADES, strict=False):
        t = range(1, len(run.norm) + 1)
        norms.plot(t, run.norm, color=color, lw=1.5, label=f"$\\lambda = {run.lam:g}$")
        losses.plot(t, run.train, color=color, lw=1.5, ls="--")
        losses.plot(t, run.test, color=color, lw=1.5)
    norms.set(xlabel="epoch", title="norm of the weights")
    losses.set(xlabel="epoch", title="$J$: training (dashed), test", yscale="log")
    losses.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    losses.yaxis.set_major_formatter("{x:g}")
    losses.yaxis.set_minor_formatter(NullFormatter())
    drawing.legend(*norms.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return drawing


def units(name: str | None, z: float) -> Figure:
    """One unit, or all six, and the place z on them."""
    if name is not None:
        drawing, (ax,) = figure(5.2, 3.0)
        _unit(ax, name, z)
        ax.legend(fontsize=9)
        return drawing
    drawing = Figure(figsize=(5.8, 6.6), layout="constrained")
    for ax, unit in zip(drawing.subplots(3, 2).flat, UNITS, strict=True):
        _unit(ax, unit, z)
        if unit == "sigmoid":
            ax.legend(fontsize=8, loc="upper left")
    return drawing


def _unit(ax: Axes, name: str, z: float) -> None:
    draw_unit(ax, name, max(FORMULAS[name][1], abs(z)))
    at = torch.tensor(z, dtype=torch.float64)
    ax.plot([z, z], [UNITS[name].f(at), UNITS[name].f_prime(at)], color=INK, lw=0.8, marker="D", ms=4, ls=":")


def lost_units(found: Mapping[str, list[float]]) -> Figure:
    """Percentages of saturated and of dead units by epoch."""
    drawing, axes = figure(6.0, 2.6, 2)
    panels = {"saturated: $|a| > 0.95$, %": ("tanh", "softsign"), "dead: $f' = 0$, %": ("relu", "leaky_relu")}
    for ax, (title, pair) in zip(axes, panels.items(), strict=True):
        for unit, color in zip(pair, (RED, BLUE), strict=True):
            ax.plot(found[unit], "-o", ms=3, color=color, label=unit)
        ax.set_title(title, fontsize=10)
        ax.set(xlabel="epoch", ylim=(-1, max(10, 1.1 * max(max(found[unit]) for unit in pair))))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(fontsize=9)
    return drawing


def layers(found: Mapping[str, Signals]) -> Figure:
    """Histograms of activations and of log10 |errors|, a ridge for each layer, the first at the top."""
    drawing = Figure(figsize=(6.0, 6.4), layout="constrained")
    axes = drawing.subplots(2, len(found), sharex="row", squeeze=False)
    magnitudes = [_log10(t) for s in found.values() for t in s.errors]
    low, high = (torch.cat(magnitudes).quantile(q).item() for q in (0.001, 1.0))
    reach = max(1.05, max(float(s.activations[0].abs().quantile(0.99)) for s in found.values()))
    for column, (rule, s) in enumerate(found.items()):
        _ridges(axes[0, column], s.activations, -reach, reach, BLUE)
        _ridges(axes[1, column], [_log10(t) for t in s.errors], max(low, high - 16), high, RED)
        axes[0, column].set(title=rule, xlabel="$a$")
        axes[1, column].set(xlabel=r"$\log_{10} |\delta|$")
    for ax in axes[:, 0]:
        ax.set_ylabel("layer")
    return drawing


def _log10(t: Tensor) -> Tensor:
    t = t.flatten()[:20_000]
    return t[t != 0].abs().log10() if bool(t.any()) else t.new_full((1,), -30.0)


def _ridges(ax: Axes, layers: Sequence[Tensor], low: float, high: float, color: str) -> None:
    middle = torch.linspace(low, high, 61)
    for k, t in enumerate(layers):
        density = torch.histc(t[t != 0].float(), 61, low, high)  # without the zeros of the ReLUs
        base = len(layers) - k
        ax.fill_between(middle, base, base + 1.3 * density / density.max().clamp(min=1), color=color, alpha=0.75, lw=0)
        ax.axhline(base, color=PALE, lw=0.5, zorder=0)
    ax.set_yticks(range(1, len(layers) + 1), [str(len(layers) - k) for k in range(len(layers))], fontsize=8)
    ax.tick_params(axis="x", labelsize=8)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def path(found: Tensor, is_good: bool) -> Figure:
    """A path on the bowl, as far as it stays near the picture."""
    drawing, (ax,) = figure(5.4, 3.6)
    outside = (found.abs() > 3 * torch.tensor(REACH)).any(1)
    draw_path(ax, found[: int(outside.int().argmax()) + 1] if outside.any() else found, BLUE if is_good else RED)
    return drawing


def word_rates(found: Rates, chosen: Sequence[str]) -> Figure:
    """Effective rate of every word that had a gradient, by how often it had one; some words by name."""
    drawing, (ax,) = figure(5.6, 3.6)
    box = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8}
    seen = found.counts > 0
    ax.loglog(found.counts[seen], found.rates[seen], ".", color=PALE, ms=4, zorder=1)
    for word in chosen:
        i = found.words.index(word)
        if found.counts[i]:
            place = (float(found.counts[i]), float(found.rates[i]))
            ax.plot(*place, "o", color=RED, ms=5)
            ax.annotate(word, place, (-6, -3), textcoords="offset points", fontsize=9, color=RED, ha="right", bbox=box)
    ax.set(xlabel="batches that held the word", ylabel=r"$\alpha / \sqrt{G + \epsilon}$")
    return drawing
