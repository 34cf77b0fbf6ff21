"""Tables for the terminal and for Markdown."""

import math
from collections.abc import Sequence
from typing import Any

from maskgit_lab.reporting.markdown import inline, printable

MISSING = "-"
TERMINAL_WIDTH = 132  # characters that most terminals show


def format_cell(value: Any) -> str:
    """Return text of a cell, one line: four significant digits for numbers, a dash for a missing value or NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    return f"{value:.4g}" if isinstance(value, float) else " ".join(printable(str(value)).split())


def render_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return an aligned table."""
    cells = [[format_cell(value) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(headers, *cells, strict=True)]
    return "\n".join([_aligned(headers, widths), "  ".join("-" * w for w in widths), *(_aligned(row, widths) for row in cells)])


def render_parts(headers: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int = TERMINAL_WIDTH) -> str:
    """Return an aligned table no wider than `width` characters: columns that do not fit go below, after the first again."""
    widths = [max(len(format_cell(cell)) for cell in column) for column in zip(headers, *rows, strict=True)]
    parts: list[list[int]] = [[]]
    for column in range(1, len(headers)):
        if parts[-1] and widths[0] + sum(2 + widths[i] for i in (*parts[-1], column)) > width:
            parts.append([])
        parts[-1].append(column)
    tables = [render_table([headers[i] for i in (0, *part)], [[row[i] for i in (0, *part)] for row in rows]) for part in parts]
    return "\n\n".join(tables)


def render_markdown(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return the same table as Markdown."""
    lines = [_markdown_row([inline(text) for text in headers]), "| --- |" + " ---: |" * (len(headers) - 1)]
    return "\n".join([*lines, *(_markdown_row([inline(format_cell(value)) for value in row]) for row in rows)]) + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line: the first column to the left, numbers to the right."""
    first, *rest = row
    return "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(rest, widths[1:], strict=True))]).rstrip()
