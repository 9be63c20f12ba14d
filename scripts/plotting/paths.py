"""A path of an optimizer on the bowl, and its contours."""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from evidence.bowl import REACH, bowl

from .style import INK, PALE

LEVELS = (0.3, 1.2, 3, 6, 10, 16, 24, 34)


def draw_path(ax: Axes, path: Tensor, color: str) -> None:
    """The path from its start, a square, towards the minimum, a cross."""
    u, v = torch.meshgrid(*(torch.linspace(-r, r, 61) for r in REACH), indexing="xy")
    ax.contour(u, v, bowl(torch.stack([u, v], -1)), levels=LEVELS, colors=[PALE], linewidths=0.8)
    ax.plot(*path.T, "-o", color=color, ms=3.5, lw=1.3)
    ax.plot(*path[0], "s", color=INK, ms=5)
    ax.plot(0, 0, "+", color=INK, ms=9, mew=1.6)
    ax.set(xlim=(-REACH[0], REACH[0]), ylim=(-REACH[1], REACH[1]), xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")
