"""Draws the figures of the notes, with networks trained and derivatives computed by this package.

python scripts/figures.py                       all figures, as PNG and SVG in runs/figures
python scripts/figures.py units rates --out pictures

1 boundary, 2 neuron, 3 layer, 4 window, 5 network, 6 weight, 7 and 8 errors, 9 to 14 units, 15 rates.
"""

from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import torch
import tyro
from matplotlib.figure import Figure
from torch import nn

from cs224d_l3 import AdaGrad, Layer, Tanh
from evidence.bowl import Maker, bowl, descend
from evidence.two_classes import interleaved, train_classifier
from evidence.worked import worked
from plotting.boundaries import draw_boundary
from plotting.networks import Network
from plotting.paths import draw_path
from plotting.style import BLUE, INK, PALE, RED, STYLE, figure, save
from plotting.units import FORMULAS, draw_unit
from plotting.worked import Edge, draw_errors, draw_forward, draw_weight
from training.command import run

# ----------------------------------------------------------------------------------------- 1 the boundary


def boundary() -> Figure:
    """Figure 1: decision boundaries of a linear classifier and of ten tanh units."""
    torch.manual_seed(0)
    x, target = interleaved()
    models = {
        "linear": Layer(2, 2, None),
        "ten tanh units": nn.Sequential(Layer(2, 10, None), Tanh(), Layer(10, 2, None)),
    }
    drawing, axes = figure(7.6, 2.8, 2)
    for ax, (name, model) in zip(axes, models.items(), strict=True):
        accuracy = train_classifier(model, x, target)
        draw_boundary(ax, model, x, target)
        ax.set_title(f"{name}: {accuracy:.0f} % right")
    return drawing


# ---------------------------------------------------------------------------------------- 2-8 the networks


def neuron() -> Figure:
    """Figure 2: a = sigma(w^T x + b)."""
    drawing, (ax,) = figure(5.6, 2.9)
    net = Network(ax, [4, 1, 1], gap=2.2)
    for i in range(1, 5):
        net.line((1, i), (2, 1), INK, 1.2)
        (x, y), (u, v) = net.at((1, i)), net.at((2, 1))
        text = "$b$" if i == 4 else f"$w_{i}$"
        net.label(x + 0.45 * (u - x), y + 0.45 * (v - y), text, BLUE)
    net.arrow((2, 1), (3, 1), INK)
    net.neurons({(1, 1): "$x_1$", (1, 2): "$x_2$", (1, 3): "$x_3$", (1, 4): "$1$", (2, 1): r"$\sigma$", (3, 1): "$a$"})
    net.label(2.2, -1.05, r"$z = w^T x + b$")
    net.label(4.4, -1.05, r"$a = \frac{1}{1 + e^{-z}}$", size=12)
    net.frame(above=0.3, below=0.3, right=1.0)
    return drawing


def layer() -> Figure:
    """Figure 3: a layer of neurons with the same input x."""
    drawing, (ax,) = figure(5.2, 3.1)
    net = Network(ax, [4, 3, 3], gap=2.4)
    net.connect(1, PALE, 1.0)
    for j in range(1, 4):
        net.arrow((2, j), (3, j), INK)
    texts = {(1, i): f"$x_{i}$" for i in range(1, 5)} | {(2, j): r"$\sigma$" for j in range(1, 4)}
    net.neurons(texts | {(3, j): f"$a_{j}$" for j in range(1, 4)})
    net.label(1.2, 1.95, "$W, b$", BLUE)
    net.label(2.4, -1.9, r"$z = Wx + b$")
    net.label(4.8, -1.9, r"$a = \sigma(z)$")
    net.frame(above=0.4, below=0.6)
    return drawing


def window() -> Figure:
    """Figure 4: the window network, from the word vectors of a window to its score."""
    drawing, (ax,) = figure(7.6, 3.9)
    net = Network(ax, [5, 8, 1], gap=3.4)
    net.connect(1, PALE, 0.6)
    net.connect(2, PALE, 0.9)
    net.neurons({(3, 1): "$s$"} | {(1, i): f"$L_{{w_{i}}}$" for i in range(1, 6)}, highlighted={(1, 3): RED})
    for i, word in enumerate(("Museums", "in", "Paris", "are", "amazing"), start=1):
        x, y = net.at((1, i))
        net.label(x - 0.55, y, word, RED if word == "Paris" else INK, ha="right")
    net.label(0, -3.35, r"$x \in \mathbb{R}^{20}$")
    net.label(0.9, 3.5, r"$W \in \mathbb{R}^{8 \times 20}, \, b \in \mathbb{R}^8$", BLUE)
    net.label(3.4, -4.4, r"$a = f(Wx + b)$")
    net.label(5.3, 2.2, r"$U \in \mathbb{R}^{8}$", BLUE)
    net.label(6.8, -1.0, r"$s = U^T a$")
    net.frame(left=1.9, right=0.7, above=0.4, below=0.8)
    return drawing


def network() -> Figure:
    """Figure 5: the 4-2-1 network in the notes' notation, with the numbers of its forward pass."""
    drawing, (ax,) = figure(6.2, 3.7)
    draw_forward(ax, worked())
    return drawing


def weight() -> Figure:
    """Figure 6: the error on its way back to W_14, with the numbers of the network of figure 5."""
    drawing, (ax,) = figure(6.2, 3.6)
    draw_weight(ax, worked(), Edge(1, 1, 4))
    return drawing


def errors() -> Figure:
    """Figures 7 and 8: the error of a neuron from one neuron above, and from several, whose errors are summed."""
    drawing, axes = figure(9.6, 2.6, 2)
    draw_errors(axes[0], worked((4, 2, 1)), j=1)
    draw_errors(axes[1], worked((4, 2, 2, 1)), j=1)
    return drawing


# ------------------------------------------------------------------------------------------ 9-14 the units


def units() -> Figure:
    """Figures 9 to 14: the units and their derivatives, which are discontinuous at the kinks."""
    drawing = Figure(figsize=(8.4, 5.2), layout="constrained")
    for ax, name in zip(drawing.subplots(2, 3).flat, FORMULAS, strict=True):
        draw_unit(ax, name)
        if name == "sigmoid":
            ax.legend(loc="upper left")
    return drawing


# ----------------------------------------------------------------------------------------------- 15 rates


def rates() -> Figure:
    """Figure 15: a learning rate that overshoots, one that converges, and AdaGrad, which adapts it by parameter."""
    drawing, axes = figure(9.2, 3.0, 3)
    cases: dict[str, tuple[Maker, int]] = {
        r"$\alpha = 0.208$: overshoots": (lambda p: torch.optim.SGD(p, lr=0.208), 7),
        r"$\alpha = 0.15$: converges": (lambda p: torch.optim.SGD(p, lr=0.15), 25),
        r"AdaGrad, $\alpha = 1.2$": (lambda p: AdaGrad(p, lr=1.2), 25),
    }
    for ax, (title, (make, steps)) in zip(axes, cases.items(), strict=True):
        path = descend(make, steps)
        draw_path(ax, path, RED if "overshoots" in title else BLUE)
        ax.set_title(f"{title}\n$J$ = {bowl(path[0]):.1f} to {bowl(path[-1]):.2g} in {steps} steps", fontsize=10)
    return drawing


FIGURES = {f.__name__: f for f in (boundary, neuron, layer, window, network, weight, errors, units, rates)}


def draw(
    names: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    out: Path = Path("runs/figures"),
    formats: tuple[str, ...] = ("png", "svg"),
) -> None:
    """Draw the notes' figures.

    Args:
        names: figures to draw; none: all.
        out: output folder.
        formats: file formats, of those that matplotlib supports.
    """
    if unknown := [name for name in names if name not in FIGURES]:
        raise ValueError(f"names must be among {', '.join(FIGURES)}, got {', '.join(unknown)}")
    known = Figure().canvas.get_supported_filetypes()
    if unknown := [kind for kind in formats if kind not in known]:
        raise ValueError(f"formats must be among {', '.join(known)}, got {', '.join(unknown)}")
    for name in names or FIGURES:
        with mpl.rc_context(STYLE):
            save(FIGURES[name](), out / name, formats)
        print(out / f"{name}.{formats[0]}")


def main() -> None:
    tyro.cli(draw)


if __name__ == "__main__":
    run(main)
