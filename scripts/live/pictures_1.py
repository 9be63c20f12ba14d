"""Pictures of the lecture's first part."""

import torch
from matplotlib.figure import Figure

from cs224d_l3 import UNITS
from plotting.style import BLUE, PALE, RED, figure


def neuron(name: str, z: float) -> Figure:
    """A unit, and the place on it where a neuron stands."""
    f = UNITS[name].f
    drawing, (ax,) = figure(5.2, 2.6)
    t = torch.linspace(-6, 6, 241, dtype=torch.float64)
    ax.plot(t, f(t), color=BLUE)
    ax.plot(z, f(torch.tensor(z, dtype=torch.float64)), "o", color=RED)
    ax.axhline(0, color=PALE, lw=0.8, zorder=0)
    ax.axvline(0, color=PALE, lw=0.8, zorder=0)
    ax.set(xlabel="$z$", ylabel="$a = f(z)$", xlim=(-6, 6))
    return drawing
