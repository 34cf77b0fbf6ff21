"""Holes that are larger or longer than a square: piece by piece, from the rim inwards.

Pieces are chosen on a lattice of a sixteenth of their side. Where the hole goes on beyond a piece, a band of that width is left for
a later one, which then has filled pixels on that side.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from maskgit_lab.repair.regions import cell_sums
from maskgit_lab.repair.squares import Square, placed

CELLS = 16  # of the lattice, per side of a piece; the band that is left is one of them
PATIENCE = 1.25  # where every place has a larger share of hole than wanted: those with up to this times the least are taken
MOST_AT_ONCE = 64  # pieces
NOTHING_KNOWN = 0.9  # share of hole above which a piece is hardly bound by what is around it


def next_pieces(
    left: np.ndarray, box: tuple[int, int, int, int], *, width: int, height: int, side: int, largest_share: float
) -> list[Square]:
    """Choose squares that do not overlap for what is left of a hole, where enough around it is known.

    Args:
        left: (h, w) bool, what is left of the hole within `box`.
        box: left, top, right, bottom in pixels of the image.
        width: of the image.
        height: of the image.
        side: of the pieces, in pixels.
        largest_share: of hole pixels in a piece, where there are such places.

    Returns:
        The squares, the best first; none when nothing is left.
    """
    cell = max(1, side // CELLS)
    rows, columns = _Places.of(height, side, cell, box[1], box[3]), _Places.of(width, side, cell, box[0], box[2])
    window = np.zeros((rows.end - rows.begin, columns.end - columns.begin), bool)
    window[box[1] - rows.begin : box[3] - rows.begin, box[0] - columns.begin : box[2] - columns.begin] = left
    sums = cell_sums(window, cell)
    table = np.pad(sums.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    whole, core, middle = (
        table[np.ix_(high_row, high_column)] - table[np.ix_(low_row, high_column)]
        - table[np.ix_(high_row, low_column)] + table[np.ix_(low_row, low_column)]
        for (low_row, high_row), (low_column, high_column) in zip(rows.spans, columns.spans, strict=True)
    )  # fmt: skip
    some = core > 0
    if not some.any():
        return []
    share = whole / side**2
    limit = max(largest_share, PATIENCE * float(share[some].min()))
    # the more of the hole in the middle of a piece the better: what is at its edge has little around it that is known
    worth = np.where(some & (share <= limit), core + middle, 0)
    chosen: list[Square] = []
    at_once = 1 if float(share[some].min()) > NOTHING_KNOWN else MOST_AT_ONCE  # others would not fit the first
    while len(chosen) < at_once:
        row, column = divmod(int(worth.argmax()), worth.shape[1])
        if worth[row, column] == 0:
            break
        chosen.append(Square(int(columns.starts[column]), int(rows.starts[row]), side))
        worth[
            np.ix_(np.abs(rows.starts - rows.starts[row]) < side, np.abs(columns.starts - columns.starts[column]) < side)
        ] = 0  # fmt: skip
    return chosen


def kept(square: Square, hole: np.ndarray) -> tuple[slice, slice]:
    """Return which rows and columns of the image a piece gives: without the bands next to which the hole goes on.

    `hole` (H, W) bool is what is not filled yet, in the whole image.
    """
    height, width = hole.shape
    left, top, right, bottom = square.inside(width, height)
    band = max(1, square.side // CELLS)
    rows, columns = slice(top, bottom), slice(left, right)
    sides = {
        "top": top > 0 and bool(hole[top - 1, columns].any()), "bottom": bottom < height and bool(hole[bottom, columns].any()),
        "left": left > 0 and bool(hole[rows, left - 1].any()), "right": right < width and bool(hole[rows, right].any()),
    }  # fmt: skip
    return (
        slice(top + band * sides["top"], bottom - band * sides["bottom"]),
        slice(left + band * sides["left"], right - band * sides["right"]),
    )


@dataclass(frozen=True)
class _Places:
    """Where along one axis pieces may begin, and which cells each covers: wholly, without its bands, and in its middle half."""

    begin: int  # pixels of the axis that the cells cover
    end: int
    starts: np.ndarray  # (n,) pixels
    spans: list[tuple[np.ndarray, np.ndarray]]  # first and end cell (n,) of the whole, the core, the middle

    @classmethod
    def of(cls, length: int, side: int, cell: int, low: int, high: int) -> Self:
        """Return the places at which a piece may hold pixels from `low` to `high` of an axis of `length` pixels."""
        if side >= length:
            everything = np.array([0]), np.array([-(-length // cell)])
            return cls(0, length, np.array([placed(0, side, length)]), [everything] * 3)
        last = -(-(length - side) // cell)  # the last place begins where the image ends, and not on the lattice
        first_place, last_place = np.clip([low // cell - CELLS, -(-high // cell)], 0, last)
        places = np.arange(first_place, last_place + 1)
        begin = int(first_place) * cell
        end = min(length, int(last_place) * cell + side + cell)
        cells = -(-(end - begin) // cell)
        first, per_side = places - first_place, side // cell
        ends = np.minimum(first + per_side, cells)
        at_start, at_end = places == 0, places == last
        spans = [(first, np.where(at_end, cells, ends))]
        spans += [(np.where(at_start, 0, first + band), np.where(at_end, cells, ends - band)) for band in (1, per_side // 4)]
        return cls(begin, end, np.minimum(places * cell, length - side), spans)
