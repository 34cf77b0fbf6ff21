"""Other programs' outputs with their truths and masks, read for `evaluate`, and what looks wrong about them."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maskgit_lab.data.file_names import shown, some
from maskgit_lab.data.hole_marks import check_hole_mark
from maskgit_lab.data.hole_warnings import LARGEST_SHARE
from maskgit_lab.data.image_files import load_images
from maskgit_lab.data.image_listing import list_images
from maskgit_lab.data.image_opening import BadImageError, ReadOptions, shown_size
from maskgit_lab.data.mask_files import load_masks
from maskgit_lab.data.mask_pairing import find_masks, images_among

log = logging.getLogger("maskgit_lab")

FEWEST = 2  # images that have a covariance


class Outputs(NamedTuple):
    """Outputs beside their truths."""

    images: np.ndarray  # (n, H, W, 3) uint8
    truth: np.ndarray  # (n, H, W, 3) uint8
    holes: np.ndarray | None  # (n, H, W) bool, True = hole
    names: tuple[str, ...]  # of the outputs


def read_outputs(
    folder: Path, *, truth: Path, masks: Path | None, mask_hole: str, options: ReadOptions, max_share: float = LARGEST_SHARE
) -> Outputs:
    """Read a folder of outputs and what they are measured against.

    Args:
        folder: of the outputs.
        truth: folder of the real images of the same names.
        masks: folder of masks; None = nothing is measured inside holes.
        mask_hole: what marks the hole.
        options: the bound on their size.
        max_share: share of hole pixels above which a mask looks inverted.

    Returns:
        The outputs, each with its own truth.

    Raises:
        FileNotFoundError: when a folder is missing or empty.
        ValueError: when there are too few images, files do not pair up, or cannot be used.
    """
    check_hole_mark(mask_hole)
    paths = images_among(list_images(folder, key="outputs"), masks=masks, key="outputs")
    if len(paths) < FEWEST:
        raise ValueError(f"outputs: {len(paths)} image in {shown(folder)}; a distance between sets needs at least {FEWEST}")
    if not truth.expanduser().is_dir() and truth.expanduser().exists():
        raise ValueError(f"truth: {shown(truth)} is a file; each output needs its own truth, in a folder")
    truth_paths = find_masks(paths, truth, key="truth", what="truth")
    mask_paths = None if masks is None else find_masks(paths, masks, key="masks")
    try:
        resolution = shown_size(truth_paths[0], options)[1]
    except BadImageError as error:
        raise ValueError(f"truth: {shown(truth_paths[0])} ({error})") from error
    images, true = (load_images(files, resolution=resolution, exact=True, options=options) for files in (paths, truth_paths))
    holes = None
    if mask_paths is not None:
        holes = load_masks(mask_paths, resolution=resolution, hole=mask_hole, exact=True, options=options, max_share=max_share)
    names = tuple(path.name for path in paths)
    warn_of_outputs(images, true, holes, names, mask_hole=mask_hole)
    return Outputs(images, true, holes, names)


def warn_of_outputs(
    images: np.ndarray, truth: np.ndarray, holes: np.ndarray | None, names: tuple[str, ...], *, mask_hole: str
) -> None:
    """Log a warning where outputs are the truth itself, or differ from it mostly where nothing was to be filled.

    Args:
        images: outputs, (n, H, W, 3) uint8.
        truth: (n, H, W, 3) uint8.
        holes: (n, H, W) bool, True = hole; None = unknown.
        names: of the outputs.
        mask_hole: which colour was taken for the hole.
    """
    same, outside = [], []
    for name, image, true, hole in zip(names, images, truth, [None] * len(names) if holes is None else holes, strict=True):
        difference = np.abs(image.astype(np.int16) - true).mean(-1)
        inside = difference if hole is None else difference[hole]
        if inside.size and not inside.any():
            same.append(shown(name))
        elif hole is not None and inside.size and not hole.all() and difference[~hole].mean() > 2 * inside.mean():
            outside.append(shown(name))
    where = "the truth" if holes is None else "the truth under the mask"
    if same:
        hint = (
            "are they copies of it?" if holes is None else f"was nothing filled, or is mask_hole={mask_hole} the wrong way round?"
        )
        log.warning(f"Warning: {len(same)} of {len(names)} outputs equal {where}, which scores perfectly: {some(same)}; {hint}")
    if len(outside) > len(names) / 2:
        log.warning(
            f"Warning: {len(outside)} of {len(names)} outputs differ from the truth more outside the mask than under it: "
            f"{some(outside)}; "
            f"is mask_hole={mask_hole} the wrong way round?"
        )
