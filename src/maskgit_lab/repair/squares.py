"""Square parts of an image of any size: where they are, their pixels at the network's resolution, and back.

A square that is larger than the image in a direction goes beyond it on both sides; what is there mirrors the image.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from maskgit_lab.data.shrinking import cover


@dataclass(frozen=True)
class Square:
    """A square in the pixels of an image, which it may exceed."""

    left: int
    top: int
    side: int

    @property
    def box(self) -> tuple[int, int, int]:
        """Left, top and side."""
        return self.left, self.top, self.side

    def rows(self, height: int) -> np.ndarray:
        """Return which row of the image each of its rows shows, (side,) int64."""
        return mirrored(self.top, self.side, height)

    def columns(self, width: int) -> np.ndarray:
        """Return which column of the image each of its columns shows, (side,) int64."""
        return mirrored(self.left, self.side, width)

    def inside(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of its part within the image."""
        return max(0, self.left), max(0, self.top), min(width, self.left + self.side), min(height, self.top + self.side)

    def overlaps(self, other: "Square") -> bool:
        """Return whether two squares share pixels."""
        reach = self.side, other.side
        return all(
            a < b + reach[1] and b < a + reach[0] for a, b in ((self.left, other.left), (self.top, other.top))
        )  # fmt: skip


def placed(centre: float, side: int, length: int) -> int:
    """Return where a square of `side` begins that is centred here, within `length` pixels, or around them when it is larger."""
    if side >= length:
        return -((side - length) // 2)
    return int(np.clip(round(centre - side / 2), 0, length - side))


def mirrored(start: int, count: int, length: int) -> np.ndarray:
    """Return places in [0, length) of `count` places from `start` on, mirrored at both ends as often as needed."""
    if length == 1:
        return np.zeros(count, np.int64)
    place = np.arange(start, start + count) % (2 * length - 2)
    return np.minimum(place, 2 * length - 2 - place)


def shrunk(pixels: np.ndarray, resolution: int) -> np.ndarray:
    """Return (resolution, resolution, 3) uint8 of a larger square (side, side, 3) uint8: the mean over areas."""
    if len(pixels) == resolution:
        return pixels
    image = Image.fromarray(pixels).resize((resolution, resolution), Image.Resampling.BOX)
    return np.asarray(image)


def shrunk_hole(hole: np.ndarray, resolution: int) -> np.ndarray:
    """Return (resolution, resolution) bool of a larger square (side, side): True where any hole pixel is in the area.

    So what lies under the hole has no influence on the known pixels of `shrunk`. The result is an array of its own: what is left
    to fill of an image changes, what the network saw does not.
    """
    side = len(hole)
    return cover(hole, size=(resolution, resolution), box=(0, 0, side, side)).copy()


def enlarged(pixels: np.ndarray, side: int, part: tuple[int, int, int, int]) -> np.ndarray:
    """Return a part of a small square (R, R, 3) uint8 when that is enlarged to `side` pixels, by bicubic interpolation.

    Args:
        pixels: of the network.
        side: pixels per side of the whole square when enlarged.
        part: left, top, right, bottom in the enlarged square.

    Returns:
        (bottom - top, right - left, 3) uint8.
    """
    left, top, right, bottom = part
    if len(pixels) == side:
        return pixels[top:bottom, left:right]
    scale = len(pixels) / side
    box = (left * scale, top * scale, right * scale, bottom * scale)
    return np.asarray(Image.fromarray(pixels).resize((right - left, bottom - top), Image.Resampling.BICUBIC, box=box))


def enlarged_cells(cells: np.ndarray, side: int, part: tuple[int, int, int, int]) -> np.ndarray:
    """Return a part (bottom - top, right - left) bool of cells (grid, grid) bool when they are enlarged to `side` pixels."""
    left, top, right, bottom = part
    rows, columns = (np.arange(*ends) * len(cells) // side for ends in ((top, bottom), (left, right)))
    return cells[rows[:, None], columns[None]]
