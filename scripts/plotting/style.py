"""Style of the pictures, and saving them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cs224d_l3.text.files import atomic_write

INK, PALE, BLUE, RED, SHADE = "#222222", "#b8b8b8", "#0072b2", "#d55e00", "#e8f1f8"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "savefig.dpi": 160,
    "svg.hashsalt": "cs224d_l3",  # reproducible files
}


def figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Figure with one row of axes."""
    drawing = Figure(figsize=(width, height), layout="constrained")
    axes = drawing.subplots(1, columns, squeeze=False)[0]
    return drawing, list(axes)


def save(drawing: Figure, path: Path, formats: Sequence[str]) -> None:
    """Save a figure in every format, as ``path`` with the format as its suffix."""
    for kind in formats:
        with atomic_write(path.with_name(f"{path.name}.{kind}")) as partial, partial.open("wb") as file:
            drawing.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)
