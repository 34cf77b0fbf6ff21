"""Fit an enlarged fill to the known pixels beside its hole: the error at the rim is carried into the hole as a membrane would be.

The fill keeps its gradients and meets the rim without a seam, as in the cloning of Pérez, Gangnet and Blake (2003). The membrane is
found from coarse to fine: at each level unknown values start from the coarser one and are averaged a few times.
"""

import numpy as np
from PIL import Image

ROUNDS = 4  # of averaging at each level; the coarser one did most of it
SMALLEST = 2  # pixels per side of the coarsest level


def fitted(fill: np.ndarray, photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Move a fill by the error that it has at the known pixels.

    Args:
        fill: (h, w, 3) uint8, of the whole part.
        photo: (h, w, 3) uint8, of which pixels in the hole do not count.
        hole: (h, w) bool.

    Returns:
        (h, w, 3) uint8: in the hole the fill without a seam, elsewhere the photo; the fill where nothing is known.
    """
    if hole.all():
        return fill
    error = np.where(hole[..., None], np.float32(0), photo.astype(np.float32) - fill)
    return (fill + membrane(error, ~hole)).round().clip(0, 255).astype(np.uint8)


def membrane(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return values (h, w, C) float32 that are given where known (h, w) bool, which is somewhere, and smooth in between."""
    if known.all():
        return values
    height, width = known.shape
    if max(height, width) <= SMALLEST:
        mean = values[known].mean(0)
        return np.where(known[..., None], values, mean)
    size = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    weight = _resized(known.astype(np.float32), size, Image.Resampling.BOX)
    some = weight > 0
    mean = _each(np.where(known[..., None], values, 0), size, Image.Resampling.BOX) / np.maximum(weight, 1e-6)[..., None]
    coarse = membrane(np.where(some[..., None], mean, np.float32(0)), some)
    smooth = _each(coarse, (width, height), Image.Resampling.BILINEAR)
    result = np.where(known[..., None], values, smooth)
    rows, columns = (np.flatnonzero((~known).any(axis)) for axis in (1, 0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)  # averages change nothing outside it
    unknown = ~known[part][..., None]
    for _ in range(ROUNDS):
        around = np.pad(result, ((1, 1), (1, 1), (0, 0)), mode="edge")[
            part[0].start : part[0].stop + 2, part[1].start : part[1].stop + 2
        ]  # fmt: skip
        mean = (around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]) / 4
        np.copyto(result[part], mean, where=unknown)
    return result


def _each(values: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    return np.stack([_resized(values[..., channel], size, how) for channel in range(values.shape[-1])], -1)


def _resized(values: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(np.ascontiguousarray(values, np.float32)).resize(size, how))
