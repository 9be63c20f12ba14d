"""Pictures of the lecture's first part."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import Rectangle
from torch import Tensor

from cs224d_l3 import UNITS, max_margin_loss
from evidence.two_classes import Moment
from evidence.worked import Worked
from plotting.boundaries import draw_boundary
from plotting.networks import Network
from plotting.style import BLUE, INK, PALE, RED, figure
from plotting.worked import SMALL, Edge, draw_backward, draw_forward, number

from .experiments_1 import PAD, Neurons, Pairs, Reading


def neuron(name: str, z: float) -> Figure:
    """A unit, and the place on it where a neuron stands."""
    f = UNITS[name].f
    drawing, (ax,) = figure(5.2, 2.6)
    t = torch.linspace(-6, 6, 241, dtype=torch.float64)
    ax.plot(t, f(t), color=BLUE)
    ax.plot(z, f(torch.tensor(z, dtype=torch.float64)), "o", color=RED)
    ax.axhline(0, color=PALE, lw=0.8, zorder=0)
    ax.axvline(0, color=PALE, lw=0.8, zorder=0)
    ax.set(xlabel="$z$", ylabel="$a = f(z)$", xlim=(min(-6, z - 1), max(6, z + 1)))
    return drawing


def layer(net: Neurons, i: int) -> Figure:
    """A layer: x on the left, a on the right, the weights of neuron i on its edges."""
    n, m = len(net.x), len(net.a)
    drawing, (ax,) = figure(5.2, 0.9 + 0.48 * max(n, m))
    drawn = Network(ax, [n, m], gap=4.2)
    drawn.weights({((1, j), (2, i)): RED for j in range(1, n + 1)})
    drawn.neurons(
        {(1, j): number(v, 1) for j, v in enumerate(net.x, 1)} | {(2, k): number(v) for k, v in enumerate(net.a, 1)},
        {(2, i): RED},
        SMALL,
    )
    for j in range(1, n + 1):
        (x, y), (u, v) = drawn.at((1, j)), drawn.at((2, i))
        drawn.label(x + 0.3 * (u - x), y + 0.3 * (v - y), number(net.W[i - 1, j - 1]), RED, SMALL)
    x, y = drawn.at((2, i))
    drawn.label(x + 0.5, y, f"$z_{i}$ = {number(net.z[i - 1])}", RED, SMALL, ha="left")
    top = max(n, m) / 2 + 0.3
    drawn.label(0, top, "$x$")
    drawn.label(4.2, top, "$a = f(Wx + b)$")
    drawn.frame(left=0.6, right=1.9, above=0.8, below=0.1)
    return drawing


def boundary(moment: Moment, x: Tensor, target: Tensor) -> Figure:
    """The classes and the boundary between them."""
    drawing, (ax,) = figure(3.9, 2.9)
    draw_boundary(ax, moment.model, x, target, points=81)
    return drawing


def objective(moment: Moment, steps: int) -> Figure:
    """J by step."""
    drawing, (ax,) = figure(3.2, 2.8)
    J = torch.tensor(moment.J)
    ax.plot(J.nan_to_num(torch.nan, torch.nan), color=BLUE)
    ax.plot(len(J) - 1, J[-1], "o", color=RED)
    ax.set(xlabel="$t$", ylabel="$J$", xlim=(-0.02 * steps, 1.02 * steps))
    finite = J[J.isfinite()]
    if len(finite) and finite.max() > 1e3:
        ax.set_yscale("symlog")
    else:
        ax.set_ylim(bottom=0)
    return drawing


def window(reading: Reading, t: int) -> Figure:
    """Figure 4 with numbers: the vectors of a window's words, the hidden units, the score."""
    words, a = reading.window(t), reading.a[t]
    size, m, d = len(words), len(a), reading.vectors.shape[-1]
    drawing, (ax,) = figure(5.2, 0.9 + 0.38 * max(size, m))
    net = Network(ax, [size, m, 1], gap=2.3)
    net.connect(1, PALE, 0.6)
    net.connect(2, PALE, 0.9)
    centre = (1, size // 2 + 1)
    texts = {(1, i): f"$w_{i}$" for i in range(1, size + 1)} | {(2, i): number(v) for i, v in enumerate(a, 1)}
    net.neurons(texts | {(3, 1): number(reading.s[t])}, {centre: RED}, 7)
    for i, (word, vector) in enumerate(zip(words, reading.vectors[t], strict=True), 1):
        x, y = net.at((1, i))
        for k, value in enumerate(vector):
            left = x - 0.5 - 0.34 * (d - k)
            ax.add_patch(_cell(left, y, float(value)))
        if word != PAD and drawable(word):
            color = RED if i == centre[1] else INK
            net.label(x - 0.65 - 0.34 * d, y, shortened(word).replace("$", r"\$"), color, ha="right")
    top = max(size, m) / 2 + 0.35
    n = size * d
    titles = {-0.5 - 0.17 * d: rf"$x \in \mathbb{{R}}^{{{n}}}$", 2.3: "$a = f(Wx + b)$", 4.6: "$s = U^T a$"}
    for x, text in titles.items():
        net.label(x, top, text)
    net.frame(left=1.7 + 0.34 * d, right=0.7, above=0.75, below=0.1)
    return drawing


def _cell(left: float, y: float, value: float) -> Rectangle:
    """A number as a square: red above 0, blue below, stronger where it is larger."""
    color = RED if value > 0 else BLUE
    return Rectangle((left, y - 0.17), 0.34, 0.34, fc=color, alpha=min(1.0, abs(value) / 2), ec="white", lw=0.5)


def shortened(word: str, most: int = 12) -> str:
    """A word, cut where it is too long for its place."""
    return word if len(word) <= most else f"{word[: most - 1]}…"


def drawable(word: str) -> bool:
    """Whether the pictures' font has all of a word's characters."""
    font = get_font(findfont("DejaVu Sans"))
    return all(font.get_char_index(ord(character)) for character in word)


def hinge(pairs: Pairs, margin: float) -> Figure:
    """J against s - s_c, and the pairs on it; those that still pay in red."""
    drawing, (ax,) = figure(5.2, 2.8)
    difference = pairs.s - pairs.s_c
    reach = max(2.0, margin + 1, float(difference.abs().max()) + 0.3)
    t = torch.linspace(-reach, reach, 401)
    ax.plot(t, max_margin_loss(t, torch.zeros(()).expand_as(t), margin, "none"), color=BLUE, zorder=1)
    for pays, color in ((pairs.delta == 0, INK), (pairs.delta != 0, RED)):
        ax.scatter(difference[pays], pairs.J[pays], color=color, s=42, ec="white", lw=0.8, zorder=3)
    ax.axvline(margin, color=PALE, lw=0.8, ls="--", zorder=0)
    ax.set(xlabel="$s - s_c$", ylabel=r"$J = \max(0, \Delta + s_c - s)$")
    return drawing


def forward(w: Worked, edge: Edge) -> Figure:
    drawing, (ax,) = figure(5.4, 3.3)
    draw_forward(ax, w, edge)
    return drawing


def backward(w: Worked, edge: Edge) -> Figure:
    drawing, (ax,) = figure(5.4, 3.3)
    draw_backward(ax, w, edge)
    return drawing


def edges(sizes: Sequence[int] = (4, 2, 1)) -> dict[str, Edge]:
    """The weights and biases of a network by name, W₁₄⁽¹⁾; the notes leave the index of a single neuron out."""
    low, high = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"), str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    found = {}
    for k, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False), start=1):
        for i in range(1, m + 1):
            for j in (*range(1, n + 1), None):
                if j is None and k == len(sizes) - 1:
                    continue  # the last layer has no bias
                index = "" if j is None else str(j)
                index = index if m == 1 and index else f"{i}{index}"
                name = f"{'b' if j is None else 'W'}{index.translate(low)}⁽{str(k).translate(high)}⁾"
                found[name] = Edge(k, i, j)
    return found
