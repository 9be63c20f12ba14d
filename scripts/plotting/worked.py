"""Forward and backward pass of a small network, with every number on the drawing; figures 5 to 8."""

from typing import NamedTuple

from matplotlib.axes import Axes

from cs224d_l3 import UNITS
from evidence.worked import Worked

from .networks import Index, Network
from .style import BLUE, INK, PALE, RED

SMALL = 8.5


class Edge(NamedTuple):
    """W_ij^(k), or without j the bias b_i^(k); numbers start at 1 as in the notes."""

    k: int
    i: int
    j: int | None = None

    def name(self, single: bool = False) -> str:
        """Its name in TeX; ``single``: the layer above has one neuron, whose index the notes leave out."""
        below = "" if self.j is None else str(self.j)
        index = below if single and below else f"{self.i}{below}"
        return f"{'b' if self.j is None else 'W'}_{{{index}}}^{{({self.k})}}"


def number(value: object, digits: int = 2) -> str:
    """A number with a true minus sign, and without the sign of a rounded zero."""
    text = f"{float(value):.{digits}f}"  # type: ignore[arg-type]
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.removeprefix("-")


def factor(value: object, digits: int = 2) -> str:
    """A number in a product, in brackets where it is negative."""
    text = number(value, digits)
    return f"({text})" if text.startswith("\N{MINUS SIGN}") else text


def draw_forward(ax: Axes, w: Worked, edge: Edge | None = None) -> None:
    """a in the neurons, z and b beside them, W on the edges."""
    net = _network(ax, w, edge, [[[number(v, 1) for v in row] for row in W_k] for W_k in w.W], BLUE)
    net.neurons({(k + 1, j + 1): number(v) for k, a in enumerate(w.a) for j, v in enumerate(a)}, _path(w, edge), SMALL)
    for k in range(1, len(w.W)):
        for i, (z, b) in enumerate(zip(w.z[k], w.b[k - 1], strict=True), start=1):
            _caption(net, (k + 1, i), f"$z_{i}^{{({k + 1})}}$ = {number(z)},  $b_{i}^{{({k})}}$ = {number(b, 1)}")
    last = len(w.a)
    titles = {1: "$a^{(1)} = x$", last: "$s$"} | {k: f"$a^{{({k})}} = f(z^{{({k})}})$" for k in range(2, last)}
    _headings(net, titles, forward=True)


def draw_backward(ax: Axes, w: Worked, edge: Edge | None = None) -> None:
    """delta in the neurons, f' beside them, ds/dW on the edges."""
    net = _network(ax, w, edge, [[[number(v) for v in row] for row in W_k] for W_k in w.gradients.W], RED)
    deltas = {(k + 1, j + 1): number(v) for k, d in enumerate(w.gradients.delta) for j, v in enumerate(d)}
    net.neurons(deltas, _path(w, edge), SMALL)
    for k in range(1, len(w.W)):
        for i, slope in enumerate(UNITS[w.unit].f_prime(w.z[k]), start=1):
            _caption(net, (k + 1, i), f"$f'(z_{i}^{{({k + 1})}})$ = {number(slope)}")
    last = len(w.a)
    titles = {k: rf"$\delta^{{({k})}}$" for k in range(1, last + 1)}
    _headings(net, titles, forward=False)


def _path(w: Worked, edge: Edge | None) -> dict[Index, str]:
    """The neurons that an edge's value passes on its way to s."""
    if edge is None:
        return {}
    start = [] if edge.j is None else [(edge.k, edge.j)]
    above = [(k, i + 1) for k in range(edge.k + 2, len(w.a) + 1) for i in range(len(w.a[k - 1]))]
    return dict.fromkeys([*start, (edge.k + 1, edge.i), *above], RED)


def _network(ax: Axes, w: Worked, edge: Edge | None, texts: list[list[list[str]]], color: str) -> Network:
    """The network with a text on each edge, coloured, the chosen edge's path on top."""
    net = Network(ax, [len(a) for a in w.a], gap=3.0)
    path = set(_path(w, edge))
    ends = {(start, end) for start in path for end in path if end[0] == start[0] + 1}
    net.weights(highlighted=dict.fromkeys(ends, RED))
    for k, rows in enumerate(texts, start=1):
        for i, row in enumerate(rows, start=1):
            for j, text in enumerate(row, start=1):
                (x, y), (u, v) = net.at((k, j)), net.at((k + 1, i))
                t = 0.32 if len(w.a[k - 1]) > 2 else 0.5  # labels of crossing edges stand apart in one column
                net.label(x + t * (u - x), y + t * (v - y), text, color, SMALL)
    return net


def _caption(net: Network, index: Index, text: str) -> None:
    """Text above a neuron of a layer's upper half, below one of its lower half."""
    x, y = net.at(index)
    net.label(x, y + (0.52 if y >= 0 else -0.52), text, size=SMALL)


def _headings(net: Network, titles: dict[int, str], forward: bool) -> None:
    """A title over each layer, and arrows in the direction of the pass."""
    top = max(net.sizes) / 2 + 0.35
    for layer, title in titles.items():
        net.label(net.gap * (layer - 1), top, title, INK if forward else RED)
    for layer in range(1, len(net.sizes)):
        ends = (net.gap * (layer - 1) + 1.0, top), (net.gap * layer - 1.0, top)
        style = {"arrowstyle": "->" if forward else "<-", "color": PALE}
        net.ax.annotate("", xy=ends[1], xytext=ends[0], arrowprops=style)
    net.frame(above=0.8, below=0.15, left=0.35, right=0.35)


def draw_weight(ax: Axes, w: Worked, edge: Edge) -> None:
    """Figure 6: the error on its way back to one weight of the first layer of a network with one hidden layer."""
    k, i, j = edge
    assert j is not None
    net = Network(ax, [len(a) for a in w.a], gap=3.0)
    top = len(w.a)
    net.weights(highlighted={((k, j), (k + 1, i)): RED, ((k + 1, i), (top, 1)): RED})
    texts = {(m + 1, n + 1): number(v) for m, a in enumerate(w.a) for n, v in enumerate(a)}
    net.neurons(texts, dict.fromkeys([(k, j), (k + 1, i), (top, 1)], RED), SMALL)
    delta, slope, U_i = w.gradients.delta, UNITS[w.unit].f_prime(w.z[k])[i - 1], w.W[1][0, i - 1]
    x, y = net.at((top, 1))
    net.label(x, y + 0.62, rf"$\delta_1^{{({top})}}$ = {number(delta[-1][0], 0)}", RED)
    x, y = net.at((k + 1, i))
    net.label(x + 1.5, 0.5 * y, f"${Edge(2, 1, i).name(single=True)}$ = {number(U_i, 1)}", BLUE)
    error = rf"{number(slope, 3)} $\cdot$ {factor(U_i, 1)} $\cdot$ 1 = {number(delta[k][i - 1], 3)}"
    net.label(x, y + 0.62, rf"$\delta_{i}^{{({k + 1})}}$ = $f' \, W \, \delta$ = {error}", RED)
    x, y = net.at((k, j))
    net.label(x - 0.42, y, f"$a_{j}^{{({k})}}$", ha="right")
    gradient = rf"{number(delta[k][i - 1], 3)} $\cdot$ {factor(w.a[k - 1][j - 1], 1)} = "
    gradient += number(w.gradients.W[k - 1][i - 1, j - 1], 3)
    symbols = rf"$\partial s / \partial {edge.name()} = \delta_{i}^{{({k + 1})}} a_{j}^{{({k})}}$"
    net.label(3.0, -2.15, f"{symbols} = {gradient}", RED, 11)
    net.frame(above=0.1, below=0.7, left=0.7, right=0.5)


def draw_errors(ax: Axes, w: Worked, j: int, k: int = 2) -> None:
    """Figures 7 and 8: the errors of layer k + 1 on their way to neuron j of layer k, with the numbers of a network."""
    errors, weights = w.gradients.delta[k], w.W[k - 1][:, j - 1]
    slope, delta = UNITS[w.unit].f_prime(w.z[k - 1])[j - 1], w.gradients.delta[k - 1][j - 1]
    net = Network(ax, [1, len(errors)], gap=3.6)
    layer, above = f"{{({k})}}", f"{{({k + 1})}}"
    for i in range(1, len(errors) + 1):
        net.line((1, 1), (2, i), PALE, 1.2)
        net.arrow((2, i), (1, 1), RED)
    net.neurons({(1, 1): f"${j}$"} | {(2, i): f"${i}$" for i in range(1, len(errors) + 1)})
    for i, (error, weight) in enumerate(zip(errors, weights, strict=True), start=1):
        x, y = net.at((2, i))
        net.label(x + 0.4, y, rf"$\delta_{i}^{above}$ = {number(error, 3)}", RED, ha="left")
        net.label(1.8, 0.5 * y + (0.36 if y >= 0 else -0.36), f"$W_{{{i}{j}}}^{layer}$ = {number(weight, 1)}", BLUE)
    net.label(0, 0.62, f"$f'(z_{j}^{layer})$ = {number(slope, 3)}")
    symbols = rf"f'(z_{j}^{layer}) \, \sum_i W_{{i{j}}}^{layer} \delta_i^{above}"
    net.label(2.0, -1.3, rf"$\delta_{j}^{layer} = {symbols}$", RED)
    terms = [f"{factor(w_i, 1)} $\\cdot$ {factor(error, 3)}" for w_i, error in zip(weights, errors, strict=True)]
    total = terms[0] if len(terms) == 1 else f"[{' + '.join(terms)}]"
    net.label(2.0, -1.85, f"= {number(slope, 3)} $\\cdot$ {total} = {number(delta, 3)}", RED)
    ax.set_xlim(-1.1, 5.6)
    ax.set_ylim(-2.2, 1.1)
