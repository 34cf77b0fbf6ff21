"""Tables for the terminal and for Markdown, with the best value of each column marked."""

from collections.abc import Sequence
from typing import Any

BEST = "*"


def format_cell(value: Any) -> str:
    """Return text of a cell: four significant digits for numbers, a dash for a missing value."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def render_table(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], *, best: Sequence[set[int]] | None = None
) -> str:
    """Return an aligned table; `best[column]` holds the rows to mark."""
    cells = _cells(rows, best)
    widths = [max(len(str(h)), *(len(row[i]) for row in cells)) for i, h in enumerate(headers)]
    lines = [_aligned(headers, widths), "  ".join("-" * w for w in widths), *(_aligned(row, widths) for row in cells)]
    return "\n".join(lines)


def render_markdown(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], *, best: Sequence[set[int]] | None = None
) -> str:
    """Return the same table as Markdown."""
    lines = [f"| {' | '.join(headers)} |", "|" + " --- |" * len(headers)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in _cells(rows, best))]) + "\n"


def _cells(rows: Sequence[Sequence[Any]], best: Sequence[set[int]] | None) -> list[list[str]]:
    marked = best or [set() for _ in rows[0]] if rows else []
    return [
        [format_cell(v) + (BEST if i in marked[j] else "") for j, v in enumerate(row)] for i, row in enumerate(rows)
    ]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (str(cell) for cell in row)
    return "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]).rstrip()
