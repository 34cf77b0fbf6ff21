"""Masks from files, to booleans; and photos with their masks, read together because one is needed to shrink the other."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskgit_lab.data.file_names import shown, some
from maskgit_lab.data.file_reading import BadFilesError, check_exact, read_files
from maskgit_lab.data.hole_warnings import warn_of_holes
from maskgit_lab.data.image_opening import BadImageError, ReadOptions, opened, shown_size
from maskgit_lab.data.image_pixels import rgb_pixels
from maskgit_lab.data.mask_pixels import HOLE_COLOURS, hole_pixels
from maskgit_lab.data.shrinking import shrink_hole, shrink_image

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
) -> np.ndarray:
    """Decode masks; log by which rule unusual ones were read, and warn of empty, full and probably inverted ones.

    Args:
        paths: files, saved in any of the ways of `mask_pixels`.
        resolution: pixels per side; from others the centre square is shrunk, and any hole pixel makes a cell a hole.
        hole: which colour marks the hole, black or white.
        exact: refuse masks of another size.
        images: the image of each mask, whose size or proportions it must have.
        options: the bound on their size.

    Returns:
        (n, resolution, resolution) bool, True = hole.

    Raises:
        BadFilesError: naming the files that cannot be used.
    """
    check_hole_colour(hole)
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
    _tell(paths, holes, rules, hole)
    return holes


@dataclass(frozen=True)
class Photos:
    """Photos and their holes, at the networks' resolution."""

    paths: list[Path]  # of the images that could be used
    images: np.ndarray  # (n, resolution, resolution, 3) uint8
    holes: np.ndarray  # (n, resolution, resolution) bool, True = hole


def load_photos(
    images: Sequence[Path], masks: Sequence[Path], *, resolution: int, hole: str, options: ReadOptions = DEFAULT
) -> Photos:
    """Decode images with the mask of each; what lies under a hole does not run into the known pixels when they are shrunk.

    Args:
        images: files of any size.
        masks: the mask of each, of its size or its proportions as a viewer shows it.
        resolution: pixels per side of the result.
        hole: which colour marks the hole, black or white.
        options: the bound on their size, and whether to go on without those that cannot be used.

    Returns:
        The photos.

    Raises:
        BadFilesError: naming the images and masks that cannot be used.
    """
    check_hole_colour(hole)
    pixels = np.empty((len(images), resolution, resolution, 3), dtype=np.uint8)
    holes = np.empty(pixels.shape[:3], dtype=bool)
    rules: list[str | None] = [None] * len(images)

    def one(i: int) -> None:
        try:
            full, rules[i] = _hole(masks[i], hole, options)
            _check_fits(full, shown_size(images[i], options))
        except BadImageError as error:
            raise BadImageError(f"mask {shown(masks[i].name)}: {error}") from error
        with opened(images[i], options) as stored:
            pixels[i] = shrink_image(rgb_pixels(stored), resolution, full)
        holes[i] = shrink_hole(full, resolution)

    kept = list(range(len(images)))
    try:
        read_files(images, one, options=options)
    except BadFilesError as error:
        if not options.skip_bad:
            raise
        kept = error.rest()
    pixels, holes = pixels[kept], holes[kept]
    _tell([masks[i] for i in kept], holes, [rules[i] for i in kept], hole)
    return Photos([images[i] for i in kept], pixels, holes)


def check_hole_colour(hole: str) -> None:
    """Raise ValueError unless this is a colour that may mark the hole."""
    if hole not in HOLE_COLOURS:
        raise ValueError(f"mask_hole must be black or white, got {hole!r}")


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


def _tell(paths: Sequence[Path], holes: np.ndarray, rules: Sequence[str | None], hole: str) -> None:
    for rule in sorted({rule for rule in rules if rule}):
        names = [shown(path.name) for path, used in zip(paths, rules, strict=True) if used == rule]
        log.info(f"{len(names)} of {len(paths)} masks were read by {rule}: {some(names)}")
    warn_of_holes(holes, [path.name for path in paths], hole=hole)
