"""Masks for a tree of images: folder by folder, or all from one folder, or one file for all."""

from collections.abc import Sequence
from pathlib import Path

from maskgit_lab.data.file_names import shown
from maskgit_lab.data.mask_pairing import find_masks, images_among


def images_of_tree(paths: Sequence[Path], root: Path, *, masks: Path | None, suffix: str | None, key: str) -> list[Path]:
    """Tell images and masks apart in every folder of a tree (see `mask_pairing.images_among`).

    Args:
        paths: files below `root`.
        root: the folder that was named.
        masks: where masks are looked for; None = nowhere.
        suffix: of masks, `mask_suffix`.
        key: configuration key of `root`, for messages.

    Returns:
        The images, in their order.

    Raises:
        ValueError: naming masks among the images, where masks are looked for elsewhere or nowhere.
    """
    mixed = masks is not None and masks.expanduser().resolve() == root.resolve()
    return [
        path
        for folder, own in _by_folder(paths).items()
        for path in images_among(own, masks=folder if mixed else masks, key=key, suffix=suffix)
    ]


def masks_of_tree(images: Sequence[Path], root: Path, place: Path, *, suffix: str | None, key: str) -> list[Path]:
    """Find the mask of each image of a tree.

    Args:
        images: below `root`.
        root: the folder that was named.
        place: a folder with the subfolders of `root`, a folder without, from which all images take theirs, or one mask for all.
        suffix: of masks, `mask_suffix`.
        key: configuration key of `place`, for messages.

    Returns:
        A mask per image.

    Raises:
        FileNotFoundError: when there is nothing at `place`, or no folder there for one of the images.
        ValueError: naming images without a mask, or with more than one.
    """
    place = place.expanduser()
    parts = _by_folder(images)
    below = [place / folder.relative_to(root) for folder in parts]
    if not place.is_dir() or not any(folder.is_dir() for folder in below if folder != place):
        return find_masks(images, place, key=key, suffix=suffix)
    found = []
    for (folder, own), masks in zip(parts.items(), below, strict=True):
        if not masks.is_dir():
            raise FileNotFoundError(f"{key}: no folder {shown(masks)} with the masks of {shown(folder)}")
        found += find_masks(own, masks, key=key, suffix=suffix)
    return found


def _by_folder(paths: Sequence[Path]) -> dict[Path, list[Path]]:
    parts: dict[Path, list[Path]] = {}
    for path in paths:
        parts.setdefault(path.parent, []).append(path)
    return parts
