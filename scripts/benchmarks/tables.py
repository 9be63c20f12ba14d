"""Markdown tables."""

from collections.abc import Sequence


def table(title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print a table with aligned columns, the first left-aligned, the others right-aligned."""
    rows = [[title, *columns], *map(list, lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * (width - (i > 0)) + (":" if i else "") for i, width in enumerate(widths)])
    for row in rows:
        cells = (text.rjust(n) if i else text.ljust(n) for i, (text, n) in enumerate(zip(row, widths, strict=True)))
        print(f"| {' | '.join(cells)} |")
    print()
