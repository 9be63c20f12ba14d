"""The notes' figures, drawn small: each is a picture, and shows what it says."""

import re
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

import figures
from cs224d_l3 import UNITS
from evidence.worked import worked
from plotting.style import RED
from plotting.worked import number
from running import run


@pytest.mark.long
@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_is_drawn_and_the_same_again(name: str, tmp_path: Path) -> None:
    for out in ("first", "second"):
        result = run("figures", name, "--out", out, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert files == [f"{name}.png", f"{name}.svg"]
    assert (tmp_path / "first" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    svg = [(tmp_path / out / f"{name}.svg").read_text() for out in ("first", "second")]
    assert svg[0] == svg[1]
    assert "<svg" in svg[0]


@pytest.mark.long
def test_a_hidden_layer_tells_what_a_line_cannot() -> None:
    torch.manual_seed(0)
    x, target = figures.interleaved()
    linear = figures.train_classifier(figures.Layer(2, 2, None), x, target)
    hidden = torch.nn.Sequential(figures.Layer(2, 10, None), figures.Tanh(), figures.Layer(10, 2, None))
    assert linear < 93
    assert figures.train_classifier(hidden, x, target) > 98


def test_one_rate_overshoots_and_the_other_converges() -> None:
    def last(lr: float) -> float:
        path = figures.descend(lambda p: torch.optim.SGD(p, lr=lr), 30)
        return float(figures.bowl(path[-1]) / figures.bowl(path[0]))

    assert last(0.208) > 1  # beyond 2 over the largest curvature, 10
    assert last(0.15) < 1e-3


def test_every_unit_is_drawn_up_to_the_peak_of_its_derivative() -> None:
    for ax, name in zip(figures.units().axes, figures.FORMULAS, strict=True):
        drawn = max(float(torch.as_tensor(line.get_ydata()).max()) for line in ax.lines if line.get_color() == RED)
        z = torch.linspace(-3, 3, 601, dtype=torch.float64)
        assert drawn == pytest.approx(float(UNITS[name].f_prime(z).max()), abs=1e-6), name


def texts(drawing: Figure) -> list[str]:
    return [text.get_text() for ax in drawing.axes for text in ax.texts]


def test_figures_5_to_8_show_the_numbers_of_a_network() -> None:
    w, deep = worked(), worked((4, 2, 2, 1))
    forward = texts(figures.network())
    for k in range(2):
        assert {number(a) for a in w.a[k + 1]} <= set(forward)
        assert {number(v, 1) for v in w.W[k].flatten()} <= set(forward)
    g = w.gradients
    assert any(text.endswith(f"= {number(g.W[0][0, 3], 3)}") for text in texts(figures.weight()))
    errors = texts(figures.errors())
    assert any(text.endswith(f"= {number(g.delta[1][0], 3)}") for text in errors)
    slope = UNITS["sigmoid"].f_prime(deep.z[1][0])
    total = slope * sum(deep.W[1][i, 0] * deep.gradients.delta[2][i] for i in range(2))
    assert any(text.endswith(f"= {number(total, 3)}") for text in errors)


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    assert re.search(r"names.*\bfigure\b", run("figures", "figure", cwd=tmp_path).error)
    assert re.search("formats.*bmp", run("figures", "units", "--formats", "bmp", cwd=tmp_path).error)
    assert not list(tmp_path.iterdir())
