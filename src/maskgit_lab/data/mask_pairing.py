"""Which mask belongs to which image, by their names.

A wrong pair would go unnoticed, so whatever is not certain is refused by name.
"""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from maskgit_lab.data.file_names import folded, shown, some
from maskgit_lab.data.image_listing import list_images

log = logging.getLogger("maskgit_lab")

# beach_mask.png, image1_mask001.png, beach-mask.png, beach.mask.png; and mask_beach.png
_SUFFIX = re.compile(r"(?P<stem>.+?)[._ -](mask|hole)s?[._ -]?\d*", re.IGNORECASE)
_PREFIX = re.compile(r"(mask|hole)s?[._ -](?P<stem>.+)", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<before>.*?)(?P<number>[0-9]+)", re.DOTALL)
_MASK_WORD = re.compile(r"(mask|hole)s?", re.IGNORECASE)


def find_masks(images: Sequence[Path], place: Path, *, key: str, what: str = "mask", suffix: str | None = None) -> list[Path]:
    """Find the mask of each image in a folder, or take a single file for all of them, and log what is not by name.

    Args:
        images: image files.
        place: a folder of masks, which may be that of the images where masks are named like `cat_mask.png`, or one file.
        key: configuration key that named it, for messages.
        what: what is looked for.
        suffix: what comes between an image's name and the ending of its mask's (`mask_suffix`); None = what usually does.

    Returns:
        A mask per image.

    Raises:
        FileNotFoundError: when there is nothing at `place`.
        ValueError: naming images without a mask, or with more than one.
    """
    found = list_images(place, key=key)
    if place.expanduser().is_dir():
        own = {image.resolve() for image in images}
        others = [path for path in found if path.resolve() not in own]
        if not others:
            raise ValueError(
                f"{key}: all files in {shown(place)} are images themselves; a {what} beside cat.png is named cat_mask.png"
            )
        return pair_masks(images, others, what=what) if suffix is None else pair_by_suffix(images, others, suffix)
    if any(found[0].samefile(image) for image in images):
        raise ValueError(f"{key}: {shown(found[0])} is one of the images itself")
    owner = f"all {len(images)} images" if len(images) > 1 else shown(images[0].name)
    log.info(f"{key}: {shown(found[0])} is the {what} of {owner}")
    return [found[0]] * len(images)


def pair_masks(images: Sequence[Path], masks: Sequence[Path], *, what: str = "mask") -> list[Path]:
    """Pair images with masks: by the same name, by the name and a suffix such as `_mask`, or by the number at the end.

    Numbers (image_007 with mask_7) count only where each is there once on both sides. No mask serves two images.

    Args:
        images: image files.
        masks: mask files.
        what: what is looked for, for messages.

    Returns:
        A mask per image.

    Raises:
        ValueError: naming images without a mask, with more than one, or those that share one.
    """
    found = _by_name(images, masks, what)
    _by_number(images, masks, found, what)
    missing = [shown(image.name) for image in images if image not in found]
    if missing:
        folder = shown(masks[0].parent) if masks else "an empty folder"
        raise ValueError(
            f"{len(missing)} images have no {what} in {folder}: {some(missing)}. "
            f"{what.capitalize()}s pair by the same name or the same number, if that is there only once"
        )
    shared = Counter(found.values())
    twice = [shown(image.name) for image in images if shared[found[image]] > 1]
    if twice:
        raise ValueError(
            f"{some(twice)} share one {what}, {shown(found[next(i for i in images if shared[found[i]] > 1)])}: rename them"
        )
    rest = [shown(mask.name) for mask in masks if mask not in shared]
    if rest:
        log.info(f"{len(rest)} of {len(masks)} {what}s in {shown(masks[0].parent)} belong to no image: {some(rest)}")
    return [found[image] for image in images]


def pair_by_suffix(images: Sequence[Path], masks: Sequence[Path], suffix: str) -> list[Path]:
    """Pair cat.jpg with cat_hole.png, or cat.jpg_hole.png, where the suffix is `_hole`; other masks belong to nothing.

    Args:
        images: image files.
        masks: mask files.
        suffix: between the image's name and the ending of the mask's.

    Returns:
        A mask per image.

    Raises:
        ValueError: naming images without a mask, or with more than one.
    """
    by_stem: dict[str, list[Path]] = {}
    for mask in masks:
        by_stem.setdefault(folded(mask.stem), []).append(mask)
    end = folded(suffix)
    found = [
        [mask for name in dict.fromkeys((image.stem, image.name)) for mask in by_stem.get(folded(name) + end, [])]
        for image in images
    ]
    counts = Counter(mask for own in found for mask in own)
    missing = [shown(image.name) for image, own in zip(images, found, strict=True) if not own]
    several = [
        f"{shown(image.name)} ({', '.join(shown(mask.name) for mask in own)})"
        for image, own in zip(images, found, strict=True)
        if len(own) > 1 or any(counts[mask] > 1 for mask in own)
    ]
    if missing:
        example = f"{shown(images[0].stem)}{suffix}.png"
        raise ValueError(f"{len(missing)} images have no mask with mask_suffix={suffix}, as {example}: {some(missing)}")
    if several:
        raise ValueError(f"{len(several)} images and their masks are not one to one with mask_suffix={suffix}: {some(several)}")
    return [own[0] for own in found]


def images_among(paths: Sequence[Path], *, masks: Path | None, key: str, suffix: str | None = None) -> list[Path]:
    """Tell images and masks in one folder apart by their names: of cat.png and cat_mask.png the second is a mask.

    Args:
        paths: all files of the folder.
        masks: where masks are looked for; None = nowhere.
        key: configuration key that named the folder, for messages.
        suffix: of masks, as `find_masks` takes it.

    Returns:
        The images.

    Raises:
        ValueError: naming masks among the images, where masks are looked for elsewhere or nowhere.
    """
    stems = {folded(path.stem) for path in paths}
    own = {path for path in paths if stems.intersection(_bases(path) if suffix is None else _bases_before(path, suffix))}
    folder = paths[0].parent
    names = some([shown(path.name) for path in paths if path in own])
    if own and (masks is None or masks.expanduser().resolve() != folder.resolve()):
        raise ValueError(
            f"{key}: {len(own)} files in {shown(folder)} are masks of others by their names: {names}. "
            "Move them to a folder of masks, or rename them"
        )
    return [path for path in paths if path not in own]


def _by_name(images: Sequence[Path], masks: Sequence[Path], what: str) -> dict[Path, Path]:
    """Return the mask of each image that has one by name."""
    whole = {image: [mask for mask in masks_of if _same(image, mask)] for image, masks_of in _alike(images, masks)}
    found, several = {}, []
    claimed = {mask for own in whole.values() if len(own) == 1 for mask in own}
    for image, candidates in _alike(images, masks):
        own = whole[image]
        free = [mask for mask in candidates if mask in own or mask not in claimed]
        if len(candidates) == 1:
            free = candidates
        if len(free) > 1:
            several.append(f"{shown(image.name)} ({', '.join(shown(mask.name) for mask in free)})")
        elif free:
            found[image] = free[0]
    if several:
        raise ValueError(
            f"{len(several)} images have more than one {what}: {some(several)}. Remove or rename what does not belong to them"
        )
    return found


def _alike(images: Sequence[Path], masks: Sequence[Path]) -> list[tuple[Path, list[Path]]]:
    """Return for each image the masks whose names fit."""
    by_stem: dict[str, list[Path]] = {}
    for mask in masks:
        for stem in {folded(mask.stem), folded(mask.name), *_bases(mask)}:
            by_stem.setdefault(stem, []).append(mask)
    fits = [(image, by_stem.get(folded(image.stem), []), by_stem.get(folded(image.name), [])) for image in images]
    return [(image, [*stem, *(mask for mask in name if mask not in stem)]) for image, stem, name in fits]


def _same(image: Path, mask: Path) -> bool:
    """Return whether the names are equal with their suffixes: cat.jpg with cat.jpg or cat.jpg.png, either way round."""
    return image.name in (mask.name, mask.stem) or image.stem == mask.name


def _by_number(images: Sequence[Path], masks: Sequence[Path], found: dict[Path, Path], what: str) -> None:
    """Add the masks that fit by number, if the numbers are there once and the masks' names differ in nothing else."""
    numbered_images, numbered_masks = (
        [(path, *split) for path in paths if (split := _split(path.stem))] for paths in (images, masks)
    )
    for numbered in (numbered_images, numbered_masks):
        if len({number for _, _, number in numbered}) < len(numbered):
            return
    taken = set(found.values())
    free = [(mask, before, number) for mask, before, number in numbered_masks if mask not in taken]
    names = {before for _, before, _ in free}
    # beside pairs by name a number says little: dog_3 does not get bird_3, but mask_3
    if len(names) != 1 or (found and not _MASK_WORD.search(names.pop())):
        return
    by_number = {number: mask for mask, _, number in free}
    chosen = {image: by_number[number] for image, _, number in numbered_images if image not in found and number in by_number}
    if chosen:
        image, mask = next(iter(chosen.items()))
        log.info(f"{len(chosen)} {what}s found by their number: {shown(mask.name)} for {shown(image.name)}, and so on")
        found |= chosen


def _split(stem: str) -> tuple[str, int] | None:
    """Return a name without the number at its end, and the number."""
    match = _NUMBER.fullmatch(stem)
    return (match["before"], int(match["number"])) if match else None


def _bases(mask: Path) -> list[str]:
    """Return the stems of the images that a mask's name points to."""
    return [folded(match["stem"]) for pattern in (_SUFFIX, _PREFIX) if (match := pattern.fullmatch(mask.stem))]


def _bases_before(mask: Path, suffix: str) -> list[str]:
    stem, end = folded(mask.stem), folded(suffix)
    if not stem.endswith(end) or stem == end:
        return []
    base = stem.removesuffix(end)
    return [base, folded(Path(base).stem)] if Path(base).suffix else [base]
