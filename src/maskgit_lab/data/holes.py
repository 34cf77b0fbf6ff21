"""Holes to fill: irregular brush strokes like those of free-form inpainting, boxes, centred squares and halves.

Every hole is a pure function of (seed, index).
"""

from collections.abc import Callable, Sequence

import numpy as np

MAX_STROKES = 60
DEFAULT_SHARE = (0.10, 0.30)


def draw_holes(
    *,
    style: str,
    seed: int,
    indices: Sequence[int],
    resolution: int,
    share: tuple[float, float] = DEFAULT_SHARE,
) -> np.ndarray:
    """Draw holes.

    Args:
        style: brush, box, centre or half; half covers one half of the picture whatever `share` says.
        seed: of the whole set.
        indices: which holes.
        resolution: pixels per side.
        share: least and largest share of pixels under a hole.

    Returns:
        (n, resolution, resolution) bool, True = hole.
    """
    if style not in STYLES:
        raise ValueError(f"data.hole_style must be one of {', '.join(STYLES)}, got {style!r}")
    low, high = share
    if not 0 < low < high <= 1:
        raise ValueError(f"data.hole_share must be two shares 0 < least < largest <= 1, got {list(share)}")
    holes = np.empty((len(indices), resolution, resolution), dtype=bool)
    for i, index in enumerate(indices):
        rng = np.random.Generator(np.random.Philox(key=[seed, index]))
        holes[i] = STYLES[style](rng, resolution, low, high)
    return holes


def _brush(rng: np.random.Generator, resolution: int, low: float, high: float) -> np.ndarray:
    """Paint strokes until a share drawn for this hole is reached; a stroke that would pass the upper bound is left out."""
    target = rng.uniform(low, high)
    hole = np.zeros((resolution, resolution), dtype=bool)
    for attempt in range(MAX_STROKES):
        # strokes get thinner when the hole is nearly done, so that small remainders can be met
        width = rng.uniform(0.05, 0.13) if attempt < 4 else rng.uniform(0.03, 0.06)
        grown = hole | _stroke(rng, resolution, width)
        if grown.mean() <= min(high, target + 0.04):
            hole = grown
        if hole.mean() >= max(low, target - 0.02):
            return hole
    return _box(rng, resolution, low, high) if hole.mean() < low else hole


def _stroke(rng: np.random.Generator, resolution: int, width: float) -> np.ndarray:
    """Return the pixels within `width` (share of the side) of a random walk of segments."""
    num_segments = int(rng.integers(2, 6))
    turns = rng.uniform(-1.1, 1.1, num_segments) * rng.choice([-1, 1])
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
    lengths = rng.uniform(0.08, 0.28, num_segments) * resolution
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]
    points = rng.uniform(0.05, 0.95, 2) * resolution + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    axis = np.arange(resolution) + 0.5
    pixels = np.stack(np.meshgrid(axis, axis), axis=-1)[:, :, None]  # (R, R, 1, 2)
    start, step = points[:-1], np.diff(points, axis=0)
    t = np.clip(((pixels - start) * step).sum(-1) / (step**2).sum(-1), 0, 1)
    distance = np.hypot(*np.moveaxis(pixels - start - t[..., None] * step, -1, 0))
    return np.asarray((distance < width * resolution * 0.9).any(-1))


def _box(rng: np.random.Generator, resolution: int, low: float, high: float) -> np.ndarray:
    area = rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low)) * resolution**2
    aspect = np.exp(rng.uniform(-0.5, 0.5))
    width = int(np.clip(round(np.sqrt(area * aspect)), 1, resolution))
    height = int(np.clip(round(area / width), 1, resolution))
    left, top = rng.integers(0, resolution - width + 1), rng.integers(0, resolution - height + 1)
    hole = np.zeros((resolution, resolution), dtype=bool)
    hole[top : top + height, left : left + width] = True
    return hole


def _centre(rng: np.random.Generator, resolution: int, low: float, high: float) -> np.ndarray:
    side = max(1, round(np.sqrt((low + high) / 2) * resolution))
    start = (resolution - side) // 2
    hole = np.zeros((resolution, resolution), dtype=bool)
    hole[start : start + side, start : start + side] = True
    return hole


def _half(rng: np.random.Generator, resolution: int, low: float, high: float) -> np.ndarray:
    hole = np.zeros((resolution, resolution), dtype=bool)
    hole[: resolution // 2] = True
    return np.ascontiguousarray(np.rot90(hole, int(rng.integers(4))))


STYLES: dict[str, Callable[[np.random.Generator, int, float, float], np.ndarray]] = {
    "brush": _brush,
    "box": _box,
    "centre": _centre,
    "half": _half,
}
