"""Own masks that the holes of training are drawn from, at the networks' resolution."""

import logging
from pathlib import Path

import numpy as np

from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.file_names import shown, some
from maskgit_lab.data.hole_marks import check_hole_mark
from maskgit_lab.data.hole_warnings import LARGEST_SHARE, check_holes
from maskgit_lab.data.image_files import files_fingerprint
from maskgit_lab.data.image_listing import list_images
from maskgit_lab.data.image_opening import ReadOptions
from maskgit_lab.data.mask_files import read_masks

log = logging.getLogger("maskgit_lab")

KEY = "data.train_masks"
PREFIX = "data.train_"  # of its own mask_hole
DEFAULT = ReadOptions(keys="data.")
USUAL = (0.1, 0.9)  # quantiles: one mask that is much larger or smaller than the others says nothing of them


def load_train_masks(
    place: Path,
    *,
    resolution: int,
    cache: Path,
    hole: str = "white",
    max_share: float = LARGEST_SHARE,
    options: ReadOptions = DEFAULT,
) -> np.ndarray:
    """Read a folder of masks, or one, for training: from each the centre square, in which any hole pixel makes a cell a hole.

    Args:
        place: a folder or a file.
        resolution: pixels per side.
        cache: folder in which the decoded masks are kept.
        hole: what marks the hole (`data.train_mask_hole`).
        max_share: share of hole pixels above which a mask looks inverted.
        options: the bound on their size.

    Returns:
        (M, resolution, resolution) bool, True = hole; masks without a hole are left out, with a line in the log.

    Raises:
        FileNotFoundError: when there is no mask.
        ValueError: when masks cannot be used, look inverted, or none has a hole.
    """
    check_hole_mark(hole, key=f"{PREFIX}mask_hole")
    paths = list_images(place, key=KEY)

    def read(out: np.ndarray) -> None:
        out[:] = read_masks(paths, resolution=resolution, hole=hole, options=options, prefix=PREFIX)

    path = cache / "holes" / f"{files_fingerprint(paths, resolution, hole)}.npy"
    holes = cached_array(path, shape=(len(paths), resolution, resolution), dtype=np.dtype(bool), fill=read)
    check_holes(holes.mean((1, 2)), [path.name for path in paths], hole=hole, max_share=max_share, prefix=PREFIX)
    has_hole = np.asarray(holes.any((1, 2)))
    if not has_hole.any():
        raise ValueError(f"{KEY}: none of {len(paths)} masks in {shown(place)} has a hole for {PREFIX}mask_hole={hole}")
    if not has_hole.all():
        empty = [shown(path.name) for path, there in zip(paths, has_hole, strict=True) if not there]
        log.info(f"{KEY}: {len(empty)} of {len(paths)} masks have no hole and are left out: {some(empty)}")
    return np.asarray(holes)[has_hole]


def usual_shares(holes: np.ndarray) -> tuple[float, float]:
    """Return the shares of hole pixels between which eight of ten masks bool (M, H, W) lie, least and largest."""
    low, high = np.quantile(holes.mean((1, 2)), USUAL)
    return float(low), float(high)
