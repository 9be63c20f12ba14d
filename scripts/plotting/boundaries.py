"""Decision boundaries of classifiers of points in the plane."""

import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from .style import BLUE, INK, RED, SHADE


def draw_boundary(ax: Axes, model: nn.Module, x: Tensor, target: Tensor, points: int = 121) -> None:
    """The regions of the two classes, the boundary between them, and the points."""
    u, v = torch.meshgrid(
        torch.linspace(-1.7, 2.7, points), torch.linspace(-1.25, 1.6, round(points / 1.5)), indexing="xy"
    )
    with torch.no_grad():
        z = model(torch.stack([u, v], -1).view(-1, 2)).nan_to_num()
    margin = (z[:, 1] - z[:, 0]).view(u.shape)
    ax.contourf(u, v, margin, levels=[-1e38, 0, 1e38], colors=["#fbe9dd", SHADE])
    if margin.min() < 0 < margin.max():
        ax.contour(u, v, margin, levels=[0], colors=[INK], linewidths=1.4)
    for k, color, marker in ((0, RED, "o"), (1, BLUE, "^")):
        chosen = x[target == k]
        ax.scatter(chosen[:, 0], chosen[:, 1], s=16, color=color, marker=marker, ec="white", lw=0.4)
    ax.set(xticks=[], yticks=[], xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
