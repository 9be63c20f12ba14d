"""Networks as drawings: neurons in columns, weights as lines between them."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch

from .style import INK, PALE, SHADE

RADIUS = 0.3
Place = tuple[int, int]  # layer and neuron, counted from 1 as in the notes


class Network:
    """Columns of neurons, the first layer to the left; every neuron of a layer is tied to every one of the next."""

    def __init__(self, ax: Axes, sizes: Sequence[int], gap: float = 2.6) -> None:
        self.ax, self.sizes, self.gap = ax, sizes, gap
        ax.set_aspect("equal")
        ax.axis("off")

    def at(self, place: Place) -> tuple[float, float]:
        layer, neuron = place
        return self.gap * (layer - 1), (self.sizes[layer - 1] + 1) / 2 - neuron

    def weights(self, color: str = PALE, strong: Mapping[tuple[Place, Place], str] | None = None) -> None:
        """All weights; those in ``strong`` in colours of their own, on top."""
        for layer in range(1, len(self.sizes)):
            for i in range(1, self.sizes[layer - 1] + 1):
                for j in range(1, self.sizes[layer] + 1):
                    self.line((layer, i), (layer + 1, j), color, 0.9)
        for (start, end), own in (strong or {}).items():
            self.line(start, end, own, 2.2)

    def line(self, start: Place, end: Place, color: str, width: float) -> None:
        (x, y), (u, v) = self.at(start), self.at(end)
        self.ax.plot([x, u], [y, v], color=color, lw=width, zorder=1 + (width > 1), solid_capstyle="round")

    def neurons(
        self, texts: Mapping[Place, str], strong: Mapping[Place, str] | None = None, radius: float = RADIUS
    ) -> None:
        """Circles with a text in each; all places, also those without one."""
        for layer, size in enumerate(self.sizes, start=1):
            for neuron in range(1, size + 1):
                place = (layer, neuron)
                edge = (strong or {}).get(place, INK)
                width = 2.0 if place in (strong or {}) else 1.1
                self.ax.add_patch(
                    Circle(self.at(place), radius, fc=SHADE if layer > 1 else "white", ec=edge, lw=width, zorder=3)
                )
                self.ax.text(*self.at(place), texts.get(place, ""), ha="center", va="center", zorder=4, fontsize=10)

    def arrow(self, start: Place, end: Place, color: str, text: str = "", bend: float = 0.0, side: float = 0.2) -> None:
        """From one neuron's rim to another's, an error on its way back for one."""
        (x, y), (u, v) = self.at(start), self.at(end)
        style = f"arc3,rad={bend}"
        self.ax.add_patch(FancyArrowPatch((x, y), (u, v), connectionstyle=style, arrowstyle="-|>", mutation_scale=12,
                                          shrinkA=20, shrinkB=20, color=color, lw=1.6, zorder=5))  # fmt: skip
        if text:
            self.label((x + u) / 2, (y + v) / 2 + side, text, color)

    def label(self, x: float, y: float, text: str, color: str = INK, size: float = 10, **how: str) -> None:
        box = {"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.9}
        self.ax.text(
            x, y, text, ha=how.get("ha", "center"), va="center", color=color, fontsize=size, zorder=6, bbox=box
        )

    def frame(self, left: float = 0.6, right: float = 0.6, below: float = 0.5, above: float = 0.5) -> None:
        tallest = (max(self.sizes) - 1) / 2 + RADIUS
        self.ax.set_xlim(-RADIUS - left, self.gap * (len(self.sizes) - 1) + RADIUS + right)
        self.ax.set_ylim(-tallest - below, tallest + above)
