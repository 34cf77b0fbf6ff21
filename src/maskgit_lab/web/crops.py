"""What a page is told of a crop: where it is, which of its pixels the image gets, and which of its tokens."""

import base64
from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from maskgit_lab.repair.photo import Box
from maskgit_lab.web.uploads import MAX_VIEW, hole_png, scaled_hole


class Placed(Protocol):
    """A crop, in the middle of a fill or after it."""

    @property
    def box(self) -> tuple[int, int, int]:
        """Left, top and side in pixels of the image."""

    @property
    def part(self) -> Box:
        """Left, top, right, bottom in pixels of the image."""

    @property
    def pasted(self) -> np.ndarray:
        """Pixels (h, w) bool that the image gets, within `part`."""


def place(crop: Placed) -> dict[str, Any]:
    """Return where a crop is in the image, and as a PNG which pixels of its part the image gets from it."""
    left, top, right, bottom = crop.part
    return {
        "box": [*crop.box[:2], crop.box[2], crop.box[2]],
        "part": [left, top, right - left, bottom - top],
        "pasted": text(hole_png(_shown(crop.pasted))),
    }


def touched(crop: Placed, grid: int) -> np.ndarray:
    """Return which tokens (grid, grid) lie over pixels that the image gets from this crop.

    Of a hole that is filled in pieces a crop gives some pixels only; the other tokens are left out of what a page shows.
    """
    x, y, side = crop.box
    left, top, _, _ = crop.part
    edges = np.round(np.arange(grid + 1) * (side / grid)).astype(int)
    rows, columns = (np.clip(edges + shift, 0, None) for shift in (y - top, x - left))
    found = np.zeros((grid, grid), bool)
    for row, column in np.ndindex(grid, grid):
        found[row, column] = crop.pasted[rows[row] : rows[row + 1], columns[column] : columns[column + 1]].any()
    return found


def bits(mask: np.ndarray) -> str:
    """Return a mask (grid, grid) as a letter a token, 1 = True."""
    return "".join("1" if value else "0" for value in mask.ravel())


def probabilities(values: Iterable[float]) -> list[float]:
    """Return probabilities with as many digits as colours show; those of a network that has diverged are 0, which JSON can hold."""
    return [round(float(value), 3) if np.isfinite(value) else 0.0 for value in values]


def text(content: bytes) -> str:
    """Return bytes as JSON can hold them."""
    return base64.b64encode(content).decode()


def _shown(pasted: np.ndarray) -> np.ndarray:
    """Return pixels (h, w) bool no finer than a screen shows them."""
    scale = min(1.0, MAX_VIEW / max(1, *pasted.shape))
    size = max(1, round(pasted.shape[1] * scale)), max(1, round(pasted.shape[0] * scale))
    return pasted if scale == 1 else scaled_hole(pasted, size)
