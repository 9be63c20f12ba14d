"""The notes' figures, drawn small: each is a picture, and shows what it says."""

import re
from pathlib import Path

import pytest
import torch

import figures
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


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    assert re.search(r"names.*\bfigure\b", run("figures", "figure", cwd=tmp_path).error)
    assert re.search("formats.*bmp", run("figures", "units", "--formats", "bmp", cwd=tmp_path).error)
    assert not list(tmp_path.iterdir())
