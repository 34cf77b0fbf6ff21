"""Fit an enlarged fill to the known pixels beside its hole: the error at the rim is carried into the hole as a membrane would be.

The fill keeps its gradients and meets the rim without a seam, as in the cloning of Pérez, Gangnet and Blake (2003). The membrane is
found from coarse to fine: at each level unknown values start from the coarser one and are averaged a few times.
"""

import numpy as np
from PIL import Image

ROUNDS = 4  # of averaging at each level; the coarser one did most of it
SMALLEST = 4  # pixels per side of the coarsest level
LEAST_WEIGHT = 1e-6  # a coarse pixel with fewer known ones has none


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
    error = np.subtract(photo.transpose(2, 0, 1), fill.transpose(2, 0, 1), dtype=np.float32)
    moved = membrane(error, ~hole)
    moved += fill.transpose(2, 0, 1)
    return moved.round(out=moved).clip(0, 255, out=moved).astype(np.uint8).transpose(1, 2, 0)


def membrane(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return values (C, h, w) float32 that are given where known (h, w) bool, which is somewhere, and smooth in between."""
    if known.all():
        return values
    height, width = known.shape
    if max(height, width) <= SMALLEST:
        return np.where(known, values, values[:, known].mean(1)[:, None, None])
    given = np.where(known, values, np.float32(0))
    size = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    weight = _resized(known.astype(np.float32), size, Image.Resampling.BOX)
    half = np.stack([_resized(channel, size, Image.Resampling.BOX) for channel in given])
    coarse = membrane(half / np.maximum(weight, LEAST_WEIGHT), weight > 0)
    # with a frame of one pixel that repeats the outermost, for the averages over four neighbours
    framed = np.empty((len(values), height + 2, width + 2), np.float32)
    result = framed[:, 1:-1, 1:-1]
    for channel, smooth in enumerate(coarse):
        result[channel] = _resized(smooth, (width, height), Image.Resampling.BILINEAR)
    np.copyto(result, given, where=known)
    mean = np.empty_like(values)
    for _ in range(ROUNDS):
        framed[:, 0], framed[:, -1], framed[..., 0], framed[..., -1] = framed[:, 1], framed[:, -2], framed[..., 1], framed[..., -2]
        np.add(framed[:, :-2, 1:-1], framed[:, 2:, 1:-1], out=mean)
        mean += framed[:, 1:-1, :-2]
        mean += framed[:, 1:-1, 2:]
        mean *= 0.25
        np.copyto(result, mean, where=~known)
    return result


def _resized(values: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(values).resize(size, how))
