"""Holes to fill: brush strokes like those of free-form inpainting, random walks, boxes, centred squares and halves.

Every hole is a pure function of (seed, index), so that the same holes come back in any batch, run or process.
"""

from collections.abc import Callable, Sequence

import numpy as np

DEFAULT_SHARE = (0.10, 0.30)  # least and largest share of pixels under a hole
MAX_STROKES = 60  # tries; all but a few holes need fewer than ten
NUM_LARGE_STROKES = 4  # later ones are thin, so that what is left of the share can be met
LARGEST_DRAWN = 512  # pixels per side of the square in which a hole for a larger image is drawn
TOLERANCE = 0.02  # a hole is done when its share is this close below its target
LARGE_RADIUS = (0.045, 0.115)  # of a stroke, shares of the side
SMALL_RADIUS = (0.025, 0.055)
WALK_GRID = 64  # cells per side of the grid that a random walk is made on; larger images show it enlarged
STEPS_PER_CELL = 1.5  # of a walk, drawn at once; more where they do not reach the share


def draw_holes(
    *, style: str, seed: int, indices: Sequence[int], resolution: int, share: Sequence[float] = DEFAULT_SHARE
) -> np.ndarray:
    """Draw holes.

    Args:
        style: brush, walk, box, centre or half; half covers one half of the image whatever `share` says.
        seed: of the whole set, at least 0.
        indices: which holes, each at least 0.
        resolution: pixels per side.
        share: least and largest share of pixels under a hole, 0 < least < largest <= 1.

    Returns:
        (n, resolution, resolution) bool, True = hole.

    Raises:
        ValueError: an unknown style or a bad share; the message names the config key and what is allowed.
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


def draw_hole_for(
    width: int, height: int, *, style: str, seed: int, index: int, share: Sequence[float] = DEFAULT_SHARE
) -> np.ndarray:
    """Draw a hole for an image of any size: that of `draw_holes` of a square, stretched to the image.

    Args:
        width: of the image, pixels.
        height: of the image.
        style: brush, walk, box, centre or half.
        seed: of the whole set, at least 0.
        index: which hole, at least 0.
        share: least and largest share of pixels under a hole.

    Returns:
        (height, width) bool, True = hole; for a square image of up to `LARGEST_DRAWN` pixels per side that of `draw_holes`.

    Raises:
        ValueError: an unknown style or a bad share.
    """
    side = min(max(width, height), LARGEST_DRAWN)
    (hole,) = draw_holes(style=style, seed=seed, indices=[index], resolution=side, share=share)
    rows, columns = (np.arange(length) * side // length for length in (height, width))
    return hole[rows[:, None], columns]


def _brush(rng: np.random.Generator, resolution: int, low: float, high: float) -> np.ndarray:
    """Paint strokes until a share drawn for this hole is reached; a stroke that would pass the upper bound is left out."""
    num_pixels = resolution**2
    target = rng.uniform(low, high)
    least, most = max(low, target - TOLERANCE) * num_pixels, min(high, target + 2 * TOLERANCE) * num_pixels
    hole = np.zeros((resolution, resolution), dtype=bool)
    covered = 0
    for attempt in range(MAX_STROKES):
        grown = hole | _stroke(rng, resolution, LARGE_RADIUS if attempt < NUM_LARGE_STROKES else SMALL_RADIUS)
        size = int(np.count_nonzero(grown))
        if size <= most:
            hole, covered = grown, size
        if covered >= least:
            return hole
    return hole if covered >= low * num_pixels else _box(rng, resolution, low, high)


def _stroke(rng: np.random.Generator, resolution: int, radius: tuple[float, float]) -> np.ndarray:
    """Return the pixels under a brush that walks along turning segments and is pressed harder here, less there.

    `radius` holds its least and largest radius, as shares of the side.
    """
    num_segments = int(rng.integers(2, 6))
    turns = rng.uniform(-1.1, 1.1, num_segments) * rng.choice([-1, 1])
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
    lengths = rng.uniform(0.08, 0.28, num_segments) * resolution
    points = np.empty((num_segments + 1, 2), dtype=np.float32)
    points[0] = rng.uniform(0.05, 0.95, 2) * resolution
    points[1:, 0] = points[0, 0] + np.cumsum(np.cos(angles) * lengths)
    points[1:, 1] = points[0, 1] + np.cumsum(np.sin(angles) * lengths)
    radii = (rng.uniform(*radius) * rng.uniform(0.7, 1.3, num_segments + 1) * resolution).astype(np.float32)
    return _under_brush(points, radii, resolution)


def _under_brush(points: np.ndarray, radii: np.ndarray, resolution: int) -> np.ndarray:
    """Return the pixels nearer to a polyline (K, 2) than its radius there, (K,) at the corners and linear in between."""
    axis = np.arange(resolution, dtype=np.float32) + np.float32(0.5)
    x0, y0 = points[:-1].T[:, :, None, None]  # (K-1, 1, 1)
    dx, dy = np.diff(points, axis=0).T[:, :, None, None]
    x, y = axis[None, None, :] - x0, axis[None, :, None] - y0  # (K-1, 1, R), (K-1, R, 1)
    squared = dx * dx + dy * dy
    t = np.clip(x * (dx / squared) + y * (dy / squared), 0, 1)  # (K-1, R, R)
    width = radii[:-1, None, None] + t * np.diff(radii)[:, None, None]
    return np.asarray(((x - t * dx) ** 2 + (y - t * dy) ** 2 < width * width).any(0))


def _walk(rng: np.random.Generator, resolution: int, low: float, high: float) -> np.ndarray:
    """Walk from cell to cell in four directions, staying inside, until a share drawn for this hole is reached.

    The holes of the lab's test images are made like this: ragged, with crumbs of known pixels in them (docs/findings.md).
    """
    side = min(resolution, WALK_GRID)
    num_pixels = resolution**2
    target = rng.uniform(low, high) * num_pixels
    rows = np.arange(resolution) * side // resolution  # the row, and the column, of the grid that each pixel lies in
    height = np.bincount(rows)
    area = np.outer(height, height).ravel()  # pixels in a cell
    place = rng.integers(0, side, 2)
    cells = np.empty(0, dtype=np.int64)
    while True:
        ways = rng.integers(0, 4, int(STEPS_PER_CELL * side**2))
        moves = np.zeros((len(ways), 2), dtype=np.int64)
        moves[np.arange(len(ways)), ways >> 1] = 2 * (ways & 1) - 1
        straight = place + moves.cumsum(0)
        place = straight[-1]
        folded = straight % (2 * side)  # a step over the border leaves it where it is: mirrored, the walk goes on as freely
        folded = np.where(folded < side, folded, 2 * side - 1 - folded)
        cells = np.concatenate([cells, folded[:, 0] * side + folded[:, 1]])
        cells = cells[np.sort(np.unique(cells, return_index=True)[1])]  # each once, in the order of the first visits
        covered = area[cells].cumsum()
        if covered[-1] >= target:
            break
    # whole cells can leave a narrow range of shares: too small is better than too large
    num_cells = int(np.searchsorted(covered, target)) + 1
    num_cells -= int(num_cells > 1 and covered[num_cells - 1] > high * num_pixels)
    grid = np.zeros(side**2, dtype=bool)
    grid[cells[:num_cells]] = True
    return grid.reshape(side, side)[rows[:, None], rows]


def _box(rng: np.random.Generator, resolution: int, low: float, high: float) -> np.ndarray:
    num_pixels = resolution**2
    area = rng.uniform(low + 0.1 * (high - low), high - 0.1 * (high - low)) * num_pixels
    aspect = np.exp(rng.uniform(-0.5, 0.5))
    width = int(np.clip(round(np.sqrt(area * aspect)), np.ceil(area / resolution), resolution))
    # whole pixels can leave a narrow range of shares: too small is better than too large
    height = np.clip(round(area / width), np.ceil(low * num_pixels / width), np.floor(high * num_pixels / width))
    height = int(np.clip(height, 1, resolution))
    left, top = rng.integers(0, resolution - width + 1), rng.integers(0, resolution - height + 1)
    hole = np.zeros((resolution, resolution), dtype=bool)
    hole[top : top + height, left : left + width] = True
    return hole


def _centre(rng: np.random.Generator, resolution: int, low: float, high: float) -> np.ndarray:
    # equal margins on all sides: the square is exactly centred, its share the nearest to the mean that allows it
    side = np.sqrt((low + high) / 2) * resolution
    margin = min(round((resolution - side) / 2), (resolution - 1) // 2)
    hole = np.zeros((resolution, resolution), dtype=bool)
    hole[margin : resolution - margin, margin : resolution - margin] = True
    return hole


def _half(rng: np.random.Generator, resolution: int, low: float, high: float) -> np.ndarray:
    hole = np.zeros((resolution, resolution), dtype=bool)
    hole[: resolution // 2] = True
    return np.ascontiguousarray(np.rot90(hole, int(rng.integers(4))))


Style = Callable[[np.random.Generator, int, float, float], np.ndarray]  # resolution, least and largest share -> hole
STYLES: dict[str, Style] = {"brush": _brush, "walk": _walk, "box": _box, "centre": _centre, "half": _half}
