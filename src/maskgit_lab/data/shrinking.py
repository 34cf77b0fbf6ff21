"""From an image of any size to the centre square at the networks' resolution, holes with it.

A hole must not lose a pixel on the way: a cell that any hole pixel touches is a hole. And what is painted under a hole, a scratch
or a date, must not run into the pixels around it.
"""

import numpy as np
from PIL import Image

MIN_WEIGHT = 0.1  # known pixels between holes have more
UNTOUCHED = 1e-4  # the weights of a filter that meets no hole add up to 1, but for rounding

Box = tuple[float, float, float, float]  # left, top, right, bottom


def centre_square(width: int, height: int) -> Box:
    """Return the largest square in the middle."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)


def shrink_image(image: Image.Image, resolution: int, hole: np.ndarray | None = None) -> np.ndarray:
    """Resize the centre square of an RGB image.

    Args:
        image: any size.
        resolution: pixels per side.
        hole: (h, w) bool, of the image's proportions; what lies in it does not count for the pixels outside.

    Returns:
        (resolution, resolution, 3) uint8; an image of that size as it is.
    """
    size = (resolution, resolution)
    if image.size == size:
        return np.asarray(image)
    box = centre_square(*image.size)
    whole = np.asarray(image.resize(size, Image.Resampling.LANCZOS, box=box))
    if hole is None or not hole.any():
        return whole
    known = ~cover(hole, size=image.size, box=(0, 0, hole.shape[1], hole.shape[0]))
    weight = _resized(known, size, box)
    parts = [_resized(np.where(known, np.asarray(channel), 0), size, box) for channel in image.split()]
    clean = np.stack(parts, -1) / np.maximum(weight, MIN_WEIGHT)[..., None]  # the filter's mean over the known pixels only
    mixed = (np.abs(weight - 1) > UNTOUCHED) & ~shrink_hole(hole, resolution)
    return np.where(mixed[..., None], (clean + 0.5).clip(0, 255).astype(np.uint8), whole)


def shrink_hole(hole: np.ndarray, resolution: int) -> np.ndarray:
    """Resize the centre square of a mask (h, w) bool to (resolution, resolution): True where any hole pixel lies in the cell."""
    height, width = hole.shape
    return cover(hole, size=(resolution, resolution), box=centre_square(width, height))


def _resized(values: np.ndarray, size: tuple[int, int], box: Box) -> np.ndarray:
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS, box=box))


def cover(hole: np.ndarray, *, size: tuple[int, int], box: Box) -> np.ndarray:
    """Resize a part of a mask so that a pixel is a hole when its area holds any part of a hole pixel.

    Args:
        hole: (h, w) bool.
        size: width and height of the result.
        box: the part of the mask, in its pixels.

    Returns:
        (height, width) bool.
    """
    if (hole.shape[1], hole.shape[0]) == size and box == (0, 0, *size):
        return hole
    rows = _any_along(hole, size[1], box[1], box[3], axis=0)
    return _any_along(rows, size[0], box[0], box[2], axis=1)


def _any_along(hole: np.ndarray, count: int, start: float, end: float, *, axis: int) -> np.ndarray:
    edges = start + (end - start) * np.arange(count + 1) / count
    first = np.floor(edges[:-1] + 1e-6).astype(int)
    last = np.maximum(np.ceil(edges[1:] - 1e-6).astype(int), first + 1)
    nothing = np.zeros_like(hole.take([0], axis=axis))
    padded = np.concatenate([hole, nothing], axis=axis)  # so that `last` may be the length
    pairs = np.stack(
        [first, last], 1
    ).ravel()  # reduceat takes each to the next: of [first, last, first, ...] every other one counts
    return np.logical_or.reduceat(padded, pairs, axis=axis).take(np.arange(0, 2 * count, 2), axis=axis)
