"""Which holes an image has: connected parts of a mask, with NumPy only.

Parts are found on a lattice of cells, for two reasons: holes in neighbouring cells share a crop, and a mask of millions of pixels
becomes thousands of cells.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Region:
    """One hole, or several so close together that they are one."""

    number: int  # of its cells in `Regions.labels`
    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels, on the lattice, within the image
    area: int  # hole pixels
    rim: int  # sides that hole pixels share with known pixels

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
        area = cell_sums(hole, cell)
        labels = connected(area > 0)
        rim = cell_sums(_rim(hole), cell)
        height, width = hole.shape
        rows, columns = np.nonzero(labels >= 0)
        numbers = labels[rows, columns]
        count = int(numbers.max()) + 1 if len(numbers) else 0
        pixels, sides = (np.bincount(numbers, weights=sums[rows, columns], minlength=count) for sums in (area, rim))
        lowest, highest = np.full((2, count), max(labels.shape)), np.zeros((2, count), int)
        for axis, at in enumerate((columns, rows)):
            np.minimum.at(lowest[axis], numbers, at)
            np.maximum.at(highest[axis], numbers, at + 1)
        left, top = (lowest * cell).tolist()
        right, bottom = np.minimum(highest[0] * cell, width).tolist(), np.minimum(highest[1] * cell, height).tolist()
        found = [
            Region(i, (left[i], top[i], right[i], bottom[i]), int(pixels[i]), int(sides[i]))
            for i in range(count)
        ]  # fmt: skip
        return cls(cell, labels, found)

    def numbers(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the region's number at each pixel of these rows and columns of the image, (len(rows), len(columns))."""
        return self.labels[(rows // self.cell)[:, None], (columns // self.cell)[None]]


def cell_sums(values: np.ndarray, cell: int) -> np.ndarray:
    """Return the sums (rows, columns) int64 of values (H, W), bool or small whole numbers, over cells; the last may be narrower."""
    if cell == 1:
        return values.astype(np.int64)
    small = values.view(np.uint8) if values.dtype == np.bool_ else values
    across = np.add.reduceat(small, np.arange(0, small.shape[0], cell), axis=0, dtype=np.int32)
    return np.add.reduceat(across, np.arange(0, small.shape[1], cell), axis=1, dtype=np.int64)


def _rim(hole: np.ndarray) -> np.ndarray:
    """Return how many of its four neighbours are known, uint8 (H, W), of hole pixels; beyond the image nothing is known."""
    count = np.zeros(hole.shape, np.uint8)
    across, down = hole[:, 1:] != hole[:, :-1], hole[1:] != hole[:-1]
    count[:, 1:] += across
    count[:, :-1] += across
    count[1:] += down
    count[:-1] += down
    count[~hole] = 0
    return count


def connected(cells: np.ndarray) -> np.ndarray:
    """Number the connected parts of (h, w) bool, diagonal neighbours included.

    Runs of True in a row are nodes, runs that touch in neighbouring rows are edges; labels are lowered along edges until all agree.

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
