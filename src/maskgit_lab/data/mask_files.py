"""Masks from files, to booleans."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskgit_lab.data.file_names import shown, some
from maskgit_lab.data.file_reading import check_exact, read_files
from maskgit_lab.data.hole_marks import check_hole_mark
from maskgit_lab.data.hole_warnings import LARGEST_SHARE, check_holes
from maskgit_lab.data.image_opening import BadImageError, ReadOptions, opened, shown_size
from maskgit_lab.data.mask_pixels import hole_pixels
from maskgit_lab.data.shrinking import cover, shrink_hole

log = logging.getLogger("maskgit_lab")

DEFAULT = ReadOptions()


def load_masks(
    paths: Sequence[Path],
    *,
    resolution: int,
    hole: str,
    exact: bool = False,
    images: Sequence[Path] | None = None,
    options: ReadOptions = DEFAULT,
    max_share: float = LARGEST_SHARE,
    prefix: str = "",
) -> np.ndarray:
    """Decode masks as `read_masks` does, warn of empty and full ones, and refuse those that look inverted.

    Args:
        paths: see `read_masks`, as the other arguments.
        resolution: pixels per side.
        hole: what marks the hole.
        exact: refuse masks of another size.
        images: the image of each mask.
        options: the bound on their size.
        max_share: share of hole pixels above which a mask looks inverted.
        prefix: of the configuration key `mask_hole`, for messages.

    Returns:
        (n, resolution, resolution) bool, True = hole.

    Raises:
        ValueError: when files cannot be used, or most masks look inverted.
    """
    holes = read_masks(paths, resolution=resolution, hole=hole, exact=exact, images=images, options=options, prefix=prefix)
    check_holes(holes.mean((1, 2)), [path.name for path in paths], hole=hole, max_share=max_share, prefix=prefix)
    return holes


def read_masks(
    paths: Sequence[Path],
    *,
    resolution: int,
    hole: str,
    exact: bool = False,
    images: Sequence[Path] | None = None,
    options: ReadOptions = DEFAULT,
    prefix: str = "",
) -> np.ndarray:
    """Decode masks and log by which rule unusual ones were read.

    Args:
        paths: files, saved in any of the ways of `mask_pixels`.
        resolution: pixels per side; from others the centre square is shrunk, and any hole pixel makes a cell a hole.
        hole: what marks the hole: white, black, alpha, or a colour like #ff0000.
        exact: refuse masks of another size.
        images: the image of each mask, whose size or proportions it must have.
        options: the bound on their size.
        prefix: of the configuration key `mask_hole`, for messages.

    Returns:
        (n, resolution, resolution) bool, True = hole.

    Raises:
        BadFilesError: naming the files that cannot be used.
        ValueError: when nothing can be marked by `hole`.
    """
    check_hole_mark(hole, key=f"{prefix}mask_hole")
    holes = np.empty((len(paths), resolution, resolution), dtype=bool)
    rules: list[str | None] = [None] * len(paths)

    def one(i: int) -> None:
        full, rules[i] = _hole(paths[i], hole, options)
        if exact:
            check_exact((full.shape[1], full.shape[0]), resolution)
        if images is not None:
            _check_fits(full, shown_size(images[i], options))
        holes[i] = shrink_hole(full, resolution)

    read_files(paths, one, options=options)
    tell_rules(paths, rules)
    return holes


def open_mask(
    path: Path, *, hole: str, size: tuple[int, int], options: ReadOptions = DEFAULT
) -> tuple[np.ndarray, str | None, bool]:
    """Decode one mask in the size of its image.

    Args:
        path: file, saved in any of the ways of `mask_pixels`.
        hole: what marks the hole.
        size: width and height of the image as a viewer shows it.
        options: the bound on its size.

    Returns:
        (height, width) bool, True = hole; by which unusual rule it was read; and whether it was scaled, so that a pixel is a hole
        where any part of a hole pixel falls into it.

    Raises:
        BadImageError: when it cannot be used, or has other proportions than its image.
    """
    full, rule = _hole(path, hole, options)
    _check_fits(full, size)
    if (full.shape[1], full.shape[0]) == size:
        return full, rule, False
    return cover(full, size=size, box=(0, 0, full.shape[1], full.shape[0])), rule, True


def tell_rules(paths: Sequence[Path], rules: Sequence[str | None]) -> None:
    """Log by which rules masks were read that are not just black and white."""
    for rule in sorted({rule for rule in rules if rule}):
        names = [shown(path.name) for path, used in zip(paths, rules, strict=True) if used == rule]
        log.info(f"{len(names)} of {len(paths)} masks were read by {rule}: {some(names)}")


def _hole(path: Path, hole: str, options: ReadOptions) -> tuple[np.ndarray, str | None]:
    with opened(path, options) as stored:
        return hole_pixels(stored, hole=hole)


def _check_fits(hole: np.ndarray, size: tuple[int, int]) -> None:
    """Raise BadImageError unless a mask has an image's size as a viewer shows it, or its proportions to the nearest pixel."""
    width, height = hole.shape[1], hole.shape[0]
    if abs(width * size[1] - height * size[0]) < max(size):
        return
    turned = " turned upright," if (height, width) == size else ""
    raise BadImageError(
        f"{width}x{height} pixels, but its image{turned} has {size[0]}x{size[1]}: both must have the same proportions"
    )
