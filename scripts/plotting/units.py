"""A unit and its derivative, drawn between the kinks."""

import torch
from matplotlib.axes import Axes

from cs224d_l3 import UNITS

from .style import BLUE, PALE, RED

KINKS = {"hardtanh": (-1.0, 1.0), "relu": (0.0,), "leaky_relu": (0.0,)}
FORMULAS = {
    "sigmoid": (r"$\sigma(z) = 1 / (1 + e^{-z})$", 6.0),
    "tanh": (r"$\tanh(z)$", 4.0),
    "hardtanh": (r"$\mathrm{hardtanh}(z)$", 3.0),
    "softsign": (r"$z / (1 + |z|)$", 6.0),
    "relu": (r"$\max(z, 0)$", 3.0),
    "leaky_relu": (r"$\max(z, kz), \, k = 0.01$", 3.0),
}


def draw_unit(ax: Axes, name: str, reach: float | None = None) -> None:
    """f and f', which jumps at the kinks; a dot there is the value that is used."""
    unit, (formula, usual) = UNITS[name], FORMULAS[name]
    edges = [-(reach or usual), *KINKS.get(name, ()), reach or usual]
    for i, (start, end) in enumerate(zip(edges, edges[1:], strict=False)):
        z = torch.linspace(start + 1e-6, end - 1e-6, 161, dtype=torch.float64)  # odd: it holds 0, softsign's peak
        ax.plot(z, unit.f(z), color=BLUE, label="$f(z)$" if i == 0 else None)
        ax.plot(z, unit.f_prime(z), color=RED, ls="--", label="$f'(z)$" if i == 0 else None)
    for kink in KINKS.get(name, ()):
        z = torch.tensor(kink, dtype=torch.float64)
        ax.plot(kink, unit.f(z), "o", color=BLUE, ms=4)
        ax.plot(kink, unit.f_prime(z), "o", color=RED, ms=5)  # the subgradient used at the kink
    ax.axhline(0, color=PALE, lw=0.8, zorder=0)
    ax.axvline(0, color=PALE, lw=0.8, zorder=0)
    ax.set_title(formula)
    ax.set_xlabel("$z$")
    ax.margins(y=0.12)
