"""Drawings of networks: layers as columns of neurons, weights as lines."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch

from .style import INK, PALE, SHADE

RADIUS = 0.3
Index = tuple[int, int]  # (layer, neuron), 1-based as in the notes


class Network:
    """A fully connected network, its layers from left to right."""

    def __init__(self, ax: Axes, sizes: Sequence[int], gap: float = 2.6) -> None:
        self.ax, self.sizes, self.gap = ax, sizes, gap
        ax.set_aspect("equal")
        ax.axis("off")

    def at(self, index: Index) -> tuple[float, float]:
        """Coordinates of a neuron."""
        layer, neuron = index
        return self.gap * (layer - 1), (self.sizes[layer - 1] + 1) / 2 - neuron

    def weights(self, highlighted: Mapping[tuple[Index, Index], str] | None = None) -> None:
        """All weights; the highlighted ones in their colours, on top."""
        for layer in range(1, len(self.sizes)):
            self.connect(layer, PALE, 0.9)
        for (start, end), color in (highlighted or {}).items():
            self.line(start, end, color, 2.2)

    def connect(self, layer: int, color: str, width: float) -> None:
        """All weights from a layer to the next."""
        for i in range(1, self.sizes[layer - 1] + 1):
            for j in range(1, self.sizes[layer] + 1):
                self.line((layer, i), (layer + 1, j), color, width)

    def line(self, start: Index, end: Index, color: str, width: float) -> None:
        (x, y), (u, v) = self.at(start), self.at(end)
        self.ax.plot([x, u], [y, v], color=color, lw=width, zorder=1 + (width > 1), solid_capstyle="round")

    def neurons(
        self, labels: Mapping[Index, str], highlighted: Mapping[Index, str] | None = None, fontsize: float = 10
    ) -> None:
        """All neurons as circles, with their labels; the highlighted ones with their edge colours."""
        colors = highlighted or {}
        for layer, size in enumerate(self.sizes, start=1):
            for neuron in range(1, size + 1):
                index = (layer, neuron)
                edge, width = colors.get(index, INK), 2.0 if index in colors else 1.1
                face = SHADE if layer > 1 else "white"
                self.ax.add_patch(Circle(self.at(index), RADIUS, fc=face, ec=edge, lw=width, zorder=3))
                text = labels.get(index, "")
                self.ax.text(*self.at(index), text, ha="center", va="center", zorder=4, fontsize=fontsize)

    def arrow(self, start: Index, end: Index, color: str) -> None:
        """Arrow between the edges of two neurons."""
        self.ax.add_patch(FancyArrowPatch(self.at(start), self.at(end), connectionstyle="arc3,rad=0.0",
                                          arrowstyle="-|>", mutation_scale=12, shrinkA=20, shrinkB=20, color=color,
                                          lw=1.6, zorder=5))  # fmt: skip

    def label(self, x: float, y: float, text: str, color: str = INK, size: float = 10, ha: str = "center") -> None:
        """Text on a white box."""
        box = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.9}
        self.ax.text(x, y, text, ha=ha, va="center", color=color, fontsize=size, zorder=6, bbox=box)

    def frame(self, left: float = 0.6, right: float = 0.6, below: float = 0.5, above: float = 0.5) -> None:
        """Set the axis limits, with these margins around the network."""
        tallest = (max(self.sizes) - 1) / 2 + RADIUS
        self.ax.set_xlim(-RADIUS - left, self.gap * (len(self.sizes) - 1) + RADIUS + right)
        self.ax.set_ylim(-tallest - below, tallest + above)
