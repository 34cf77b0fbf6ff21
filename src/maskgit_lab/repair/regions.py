"""Which holes an image has: connected parts of a mask, with NumPy only.

Parts are found on a lattice of cells, for two reasons: holes in neighbouring cells share a crop, and a mask of millions of pixels
becomes thousands of cells.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

SMALL = 255  # rows whose sum fits a byte


@dataclass(frozen=True)
class Region:
    """One hole, or several so close together that they are one."""

    number: int  # of its cells in `Regions.labels`
    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels, on the lattice, within the image
    area: int  # hole pixels

    @property
    def side(self) -> int:
        """Longer side of its box in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)


@dataclass(frozen=True)
class Regions:
    """The holes of an image."""

    cell: int  # pixels per side
    labels: np.ndarray  # (rows, columns) int64 of cells: number of the region, from 0; -1 = no hole pixel in it
    found: list[Region]  # from the top left

    @classmethod
    def of(cls, hole: np.ndarray, cell: int) -> Self:
        """Find the regions of a mask (H, W) bool on a lattice of `cell` pixels; diagonal neighbours touch."""
        height, width = hole.shape
        area = np.zeros((-(-height // cell), -(-width // cell)), np.int64)
        rows, columns = (_span(np.asarray(hole.any(axis)), cell) for axis in (1, 0))
        if rows.stop > rows.start:  # only where there are holes: they are small in most photos
            pixels = slice(rows.start * cell, rows.stop * cell), slice(columns.start * cell, columns.stop * cell)
            area[rows, columns] = cell_sums(np.ascontiguousarray(hole[pixels]), cell)
        labels = connected(area > 0)
        y, x = np.nonzero(labels >= 0)
        numbers = labels[y, x]
        count = int(numbers.max()) + 1 if len(numbers) else 0
        areas = np.bincount(numbers, weights=area[y, x], minlength=count)
        lowest, highest = np.full((2, count), max(labels.shape)), np.zeros((2, count), int)
        for axis, at in enumerate((x, y)):
            np.minimum.at(lowest[axis], numbers, at)
            np.maximum.at(highest[axis], numbers, at + 1)
        ends = np.minimum(highest * cell, [[width], [height]])
        boxes = np.concatenate([lowest * cell, ends]).T.tolist()
        found = [Region(i, tuple(box), int(areas[i])) for i, box in enumerate(boxes)]
        return cls(cell, labels, found)

    def numbers(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the region's number at each pixel of these rows and columns of the image, (len(rows), len(columns))."""
        return self.labels[(rows // self.cell)[:, None], (columns // self.cell)[None]]


def cell_sums(values: np.ndarray, cell: int) -> np.ndarray:
    """Return the sums (rows, columns) int64 of (H, W) bool over cells; the last may be narrower."""
    rows, columns = (-(-length // cell) for length in values.shape)
    padded = values.view(np.uint8)
    if values.shape != (rows * cell, columns * cell):
        padded = np.zeros((rows * cell, columns * cell), np.uint8)
        padded[: values.shape[0], : values.shape[1]] = values
    # row by row of the cells, in bytes as long as they hold the sum: ten times as fast as NumPy's sums along an axis
    down: np.ndarray = padded[::cell].astype(np.uint8 if cell <= SMALL else np.uint16)
    for row in range(1, cell):
        down += padded[row::cell]
    across: np.ndarray = down[:, ::cell].astype(np.int64)
    for column in range(1, cell):
        across += down[:, column::cell]
    return across


def _span(some: np.ndarray, cell: int) -> slice:
    """Return the cells from the first to the last True of (n,) bool."""
    found = np.flatnonzero(some)
    return slice(int(found[0]) // cell, int(found[-1]) // cell + 1) if len(found) else slice(0, 0)


def connected(cells: np.ndarray) -> np.ndarray:
    """Number connected parts, diagonal neighbours included.

    Runs of True in a row are nodes, runs that touch in neighbouring rows are edges; labels are lowered along edges until all agree.

    Args:
        cells: (h, w) bool.

    Returns:
        (h, w) int64: parts from 0 in the order of their first cell, row by row; -1 where False.
    """
    height, width = cells.shape
    padded = np.zeros((height, width + 1), np.int8)
    padded[:, :width] = cells
    steps = np.diff(padded.ravel(), prepend=np.int8(0))
    starts, ends = np.nonzero(steps == 1)[0], np.nonzero(steps == -1)[0]  # [start, end) along the padded rows
    label = np.arange(len(starts))
    # a run of the next row touches when it starts at or before this one's end, one row on, and ends at or after its start
    first = np.searchsorted(ends, starts + width + 1, side="left")
    last = np.searchsorted(starts, ends + width + 1, side="right")
    touching = np.maximum(last - first, 0)
    above = np.repeat(label, touching)
    below = np.arange(len(above)) - np.repeat(touching.cumsum() - touching, touching) + np.repeat(first, touching)
    while len(above):
        lower, higher = np.minimum(label[above], label[below]), np.maximum(label[above], label[below])
        apart = lower != higher
        if not apart.any():
            break
        above, below = above[apart], below[apart]
        np.minimum.at(label, higher[apart], lower[apart])
        while True:  # follow every label to the one that it was lowered to
            followed = label[label]
            if np.array_equal(followed, label):
                break
            label = followed
    _, number = np.unique(label, return_inverse=True)
    marks = np.full(padded.size, -1, np.int64)
    marks[_all_of(starts, ends)] = np.repeat(number, ends - starts)
    return marks.reshape(height, width + 1)[:, :width]


def _all_of(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return all whole numbers of the ranges [start, end)."""
    lengths = ends - starts
    return np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths) + np.repeat(starts, lengths)
