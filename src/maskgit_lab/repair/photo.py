"""How an image is stored, and what networks see of it: RGB uint8. Written back is the hole, in the way the image is stored."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np

HALF = 128  # of alpha: what is below is more transparent than not
LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue (ITU-R 601-2)
WHITE = 255.0
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
Range = tuple[float, float]  # the values of black and white


class Photo(ABC):
    """An image of any size and mode, upright, as a viewer shows it."""

    width: int
    height: int

    @abstractmethod
    def look(self, hole: np.ndarray) -> None:
        """Find out the values of black and white where the mode does not say them; `hole` (H, W) bool does not count."""

    @abstractmethod
    def rgb(self, box: Box) -> np.ndarray:
        """Return a part as (h, w, 3) uint8 that may be written to; transparency over white."""

    @abstractmethod
    def transparent(self) -> np.ndarray | None:
        """Return which pixels (H, W) are more transparent than not, None where the image has no transparency."""

    @abstractmethod
    def replaced(self, colours: np.ndarray, where: np.ndarray, box: Box) -> Any:
        """Return a copy in the mode and layout in which the image was given, with pixels of a part replaced.

        Args:
            colours: (h, w, 3) uint8.
            where: (h, w) bool, the pixels to replace; they become opaque. All others keep their values.
            box: the part.

        Returns:
            An image of the kind, mode and size that was given.
        """

    @abstractmethod
    def grown(self, left: int, top: int, right: int, bottom: int) -> Self:
        """Return the image on a canvas that is larger by so many pixels."""


class ArrayPhoto(Photo):
    """An array (H, W), or (H, W, C) with C of 1 = grey, 2 = grey and alpha, 3 = RGB, 4 = RGB and alpha; of any number type."""

    def __init__(self, values: np.ndarray) -> None:
        if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (1, 2, 3, 4)) or 0 in values.shape:
            raise ValueError(f"an image is an array (H, W), or (H, W, C) with C from 1 to 4, got {values.shape}")
        if values.dtype.kind not in "buif":
            raise ValueError(f"an image is an array of numbers, got {values.dtype}")
        self.values = values
        self.height, self.width = values.shape[:2]
        self.range = (0.0, 1.0) if values.dtype.kind == "b" else (0.0, float(2 ** (8 * values.itemsize) - 1))

    @property
    def _channels(self) -> int:
        return 1 if self.values.ndim == 2 else self.values.shape[2]

    def look(self, hole: np.ndarray) -> None:
        if self.values.dtype not in (np.bool_, np.uint8, np.uint16):
            self.range = value_range(self.values[~hole])

    def rgb(self, box: Box) -> np.ndarray:
        left, top, right, bottom = box
        part = self.values[top:bottom, left:right].reshape(bottom - top, right - left, self._channels)
        part = np.array(part) if part.dtype == np.uint8 else to_grey(part, self.range)
        if self._channels in (2, 4):
            alpha = part[..., -1:] / np.float32(WHITE)
            part = (part[..., :-1] * alpha + WHITE * (1 - alpha)).round().astype(np.uint8)
        return part if part.shape[2] == 3 else np.repeat(part, 3, -1)

    def transparent(self) -> np.ndarray | None:
        return self.values[..., -1] < sum(self.range) / 2 if self._channels in (2, 4) else None

    def replaced(self, colours: np.ndarray, where: np.ndarray, box: Box) -> np.ndarray:
        left, top, right, bottom = box
        result = self.values.copy()
        chosen = colours[where]
        if self._channels < 3:
            chosen = luminance(chosen)[:, None]
        if self._channels in (2, 4):
            chosen = np.concatenate([chosen, np.full((len(chosen), 1), 255, np.uint8)], 1)
        part = result[top:bottom, left:right]
        part[where] = from_grey(chosen if self.values.ndim == 3 else chosen[:, 0], self.range, self.values.dtype)
        return result

    def grown(self, left: int, top: int, right: int, bottom: int) -> Self:
        return type(self)(np.pad(self.values, ((top, bottom), (left, right), *[(0, 0)] * (self.values.ndim - 2))))


def luminance(colours: np.ndarray) -> np.ndarray:
    """Return grey values (n,) uint8 of colours (n, 3) uint8."""
    return (colours @ LUMA + 0.5).astype(np.uint8)


def value_range(known: np.ndarray) -> Range:
    """Return the values of black and white of numbers whose type does not say it: the least of the usual ranges that holds them.

    These are 0 to 1 for floats, 0 to 255, 0 to 65,535; other numbers from their least to their largest.
    """
    floats = known.dtype.kind == "f"
    finite = known[np.isfinite(known)] if floats else known
    if finite.size == 0:
        return (0.0, 1.0) if floats else (0.0, WHITE)
    low, high = float(finite.min()), float(finite.max())
    if low >= 0:
        for white in (*([1.0] if floats else []), WHITE, 65535.0):
            if high <= white:
                return 0.0, white
    return (low, high) if high > low else (low, low + 1)


def to_grey(values: np.ndarray, scale: Range) -> np.ndarray:
    """Return numbers as uint8 of the same shape, black at 0 and white at 255; NaN is black."""
    low, high = scale
    grey = (values.astype(np.float64) - low) * (WHITE / (high - low))
    return np.nan_to_num(grey, nan=0.0, posinf=WHITE, neginf=0.0).round().clip(0, WHITE).astype(np.uint8)


def from_grey(grey: np.ndarray, scale: Range, dtype: np.dtype) -> np.ndarray:
    """Return uint8 as numbers of a type, 0 at black and 255 at white."""
    low, high = scale
    if dtype == np.bool_:
        return grey >= HALF
    values = low + grey.astype(np.float64) * ((high - low) / WHITE)
    return values.astype(dtype) if dtype.kind == "f" else values.round().astype(dtype)
