"""Tables for people: padded columns."""

from __future__ import annotations

from collections.abc import Sequence

GAP = "  "


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[bool] = ()) -> list[str]:
    """The rows as lines whose columns stand below each other; the last column is not padded."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    sides = [*right, *([False] * (len(widths) - len(right)))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if side else (cell if place == len(row) - 1 else cell.ljust(width))
            for place, (cell, width, side) in enumerate(zip(row, widths, sides, strict=True))
        ]
        lines.append(GAP.join(cells) + "\n")
    return lines
