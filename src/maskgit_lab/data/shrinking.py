"""From an image of any size to the centre square at the networks' resolution, holes with it.

A hole must not lose a pixel on the way: a cell that any hole pixel touches is a hole. And what is painted under a hole, a scratch
or a date, must not run into the pixels around it.
"""

import numpy as np
from PIL import Image

MIN_WEIGHT = 0.1  # known pixels between holes have more
UNTOUCHED = 1e-4  # the weights of a filter that meets no hole add up to 1, but for rounding

LANCZOS_REACH = 3  # in pixels of the result

Box = tuple[float, float, float, float]  # left, top, right, bottom
Part = tuple[slice, ...]  # rows and columns


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
    cells = shrink_hole(hole, resolution)
    near = _around(cells, box) if cells.any() else np.s_[:, :]
    clean, weight = _mean_of_known(image, hole, near, resolution)
    mixed = (np.abs(weight - 1) > UNTOUCHED) & ~cells[near]
    out = whole.copy()
    out[near] = np.where(mixed[..., None], (clean + 0.5).clip(0, 255).astype(np.uint8), whole[near])
    return out


def _around(cells: np.ndarray, box: Box) -> Part:
    """Return the part of the result whose pixels the filter may mix with hole pixels."""
    reach = (
        int(np.ceil(LANCZOS_REACH * max(1, len(cells) / (box[2] - box[0])))) + 1
    )  # of a small image a source pixel is several cells
    rows, columns = (np.nonzero(cells.any(axis))[0] for axis in (1, 0))
    return tuple(slice(max(0, int(at[0]) - reach), int(at[-1]) + 1 + reach) for at in (rows, columns))


def _mean_of_known(image: Image.Image, hole: np.ndarray, near: Part, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Resize a part of an image so that each pixel is the filter's mean over known pixels.

    Args:
        image: RGB.
        hole: (h, w) bool, of the image's proportions.
        near: rows and columns of the result.
        resolution: pixels per side of the whole result.

    Returns:
        Colours, float (rows, columns, 3), and which share of the filter's weight lies on known pixels, float (rows, columns).
    """
    left, top, right, _ = centre_square(*image.size)
    scale = (right - left) / resolution
    (row, end_row, _), (column, end_column, _) = (part.indices(resolution) for part in near)
    box = (left + column * scale, top + row * scale, left + end_column * scale, top + end_row * scale)
    margin = (LANCZOS_REACH + 1) * max(scale, 1)
    x, y = int(max(0, box[0] - margin)), int(max(0, box[1] - margin))
    end_x, end_y = int(min(image.width, box[2] + margin + 1)), int(min(image.height, box[3] + margin + 1))
    across, down = hole.shape[1] / image.width, hole.shape[0] / image.height
    known = ~cover(hole, size=(end_x - x, end_y - y), box=(x * across, y * down, end_x * across, end_y * down))
    inside = (box[0] - x, box[1] - y, box[2] - x, box[3] - y)
    size = (end_column - column, end_row - row)
    weight = _resized(known, size, inside)
    channels = image.crop((x, y, end_x, end_y)).split()
    colours = [_resized(np.where(known, np.asarray(channel), np.uint8(0)), size, inside) for channel in channels]
    return np.stack(colours, -1) / np.maximum(weight, MIN_WEIGHT)[..., None], weight


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
