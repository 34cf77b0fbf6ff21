"""What `inpaint` is to fill: which images with which masks and under which names, all looked at before the first is filled."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from maskgit_lab.assembly.schemas import InpaintConfig
from maskgit_lab.commands.results import result_names
from maskgit_lab.data.file_names import folded, shown, some
from maskgit_lab.data.file_reading import BadFilesError, read_files
from maskgit_lab.data.hole_marks import ALPHA
from maskgit_lab.data.hole_warnings import check_holes
from maskgit_lab.data.holes import draw_hole_for
from maskgit_lab.data.image_listing import list_images, list_tree
from maskgit_lab.data.image_opening import BadImageError, ReadOptions, opened
from maskgit_lab.data.image_saving import FileKind, is_cut_to_eight_bits, kind_like
from maskgit_lab.data.mask_files import open_mask, tell_rules
from maskgit_lab.data.mask_pairing import find_masks
from maskgit_lab.data.mask_pixels import transparent_pixels
from maskgit_lab.data.mask_tree import images_of_tree, masks_of_tree
from maskgit_lab.repair.pillow_photo import PillowPhoto

log = logging.getLogger("maskgit_lab")

KEPT_PIXELS = 64_000_000  # of all images together; what is beyond is read again when it is filled
AT_ONCE = 16_000_000  # pixels filled in one call


@dataclass(frozen=True)
class Task:
    """One image to fill."""

    path: Path
    mask: Path | None
    name: str  # of its results, without ending, with its folders below the one that was named
    number: int  # chooses the hole where that is drawn


@dataclass(frozen=True)
class Photo:
    """One image with its hole."""

    stored: Image.Image  # decoded, as it lies in the file
    hole: np.ndarray  # (H, W) bool as a viewer shows it, True = hole


@dataclass(frozen=True)
class Seen:
    """What is known of an image that was looked at."""

    task: Task
    kind: FileKind  # of its result
    size: tuple[int, int]  # width and height as a viewer shows it
    lossy: bool  # it came in a format that would not keep the known pixels
    share: float  # of its pixels that are hole
    rule: str | None  # by which unusual one its mask was read
    scaled: bool  # its mask had another size
    eight_bits: bool  # it has colours of 16 bits, of which eight are read
    pages: bool  # there are more images in its file


def find_tasks(config: InpaintConfig) -> list[Task]:
    """List the images of `images`, pair them with their masks, and name their results.

    Raise FileNotFoundError where there is nothing, ValueError where pairs are not certain.
    """
    place = Path(config.masks).expanduser() if config.masks else None
    if isinstance(config.images, str):
        root = Path(config.images).expanduser()
        results = [Path(config.out).expanduser()] if (Path(config.out).expanduser() / "composited").is_dir() else []
        found = list_tree(root, key="images", without=[*results, *([place] if place else [])])
        root = root if root.is_dir() else root.parent
        paths = images_of_tree(found, root, masks=place, suffix=config.mask_suffix, key="images")
        relative = [path.relative_to(root) for path in paths]
        masks = masks_of_tree(paths, root, place, suffix=config.mask_suffix, key="masks") if place else [None] * len(paths)
    else:
        paths = [_file(item) for item in config.images]
        relative = _apart(paths)
        masks = find_masks(paths, place, key="masks", suffix=config.mask_suffix) if place else [None] * len(paths)
    names = result_names(relative)
    return [Task(path, mask, name, i) for i, (path, mask, name) in enumerate(zip(paths, masks, names, strict=True))]


def _file(item: str) -> Path:
    if Path(item).expanduser().is_dir():
        raise ValueError(
            f"images: {shown(item)} is a folder: a list holds files, a folder is named by itself: images={shown(item)}"
        )
    return list_images(Path(item), key="images")[0]


def _apart(paths: Sequence[Path]) -> list[Path]:
    """Return the names of a list of files, where these are not all different with the folders below the one they share."""
    full = [Path(os.path.abspath(path)) for path in paths]
    twice = len(full) - len(set(full))
    if twice:
        raise ValueError(f"images: {twice} of {len(full)} files in the list are there twice")
    if len({folded(path.name) for path in full}) == len(full):
        return [Path(path.name) for path in full]
    root = Path(os.path.commonpath([path.parent for path in full]))
    return [path.relative_to(root) for path in full]


class Inputs:
    """Images and holes from files.

    Args:
        config: of the command.
        options: the bound on their size, and whether to go on without those that cannot be used.
    """

    def __init__(self, config: InpaintConfig, options: ReadOptions) -> None:
        self.config, self.options = config, options
        self._kept: dict[Task, Photo] = {}

    def look(self, tasks: Sequence[Task]) -> list[Seen]:
        """Decode all images and masks once, say what is unusual about them, and keep as many as there is room for.

        Args:
            tasks: from `find_tasks`.

        Returns:
            Those that can be used.

        Raises:
            BadFilesError: naming the images and masks that cannot be used.
            ValueError: when most masks look inverted.
        """
        found: dict[int, Seen] = {}
        room = KEPT_PIXELS

        def one(i: int) -> None:
            nonlocal room
            photo, found[i] = self._open(tasks[i])
            pixels = photo.hole.size
            if pixels <= room:
                room -= pixels
                self._kept[tasks[i]] = photo

        kept = list(range(len(tasks)))
        try:
            read_files([task.path for task in tasks], one, options=self.options)
        except BadFilesError as error:
            if not self.options.skip_bad:
                raise
            kept = error.rest()
        seen = [found[i] for i in kept]
        self._tell(seen)
        return seen

    def batches(self, seen: Sequence[Seen]) -> Iterator[tuple[list[Seen], list[Photo]]]:
        """Yield images in their order, as many at once as `batch_size` and memory allow."""
        part: list[Seen] = []
        pixels = 0
        for one in seen:
            size = one.size[0] * one.size[1]
            if part and (len(part) == self.config.batch_size or pixels + size > AT_ONCE):
                yield part, [self._photo(other.task) for other in part]
                part, pixels = [], 0
            part.append(one)
            pixels += size
        if part:
            yield part, [self._photo(other.task) for other in part]

    def _photo(self, task: Task) -> Photo:
        kept = self._kept.pop(task, None)
        if kept is not None:
            return kept
        try:
            return self._open(task)[0]
        except BadImageError as error:  # it was fine when it was looked at
            raise ValueError(f"{shown(task.path)}: {error}") from error

    def _open(self, task: Task) -> tuple[Photo, Seen]:
        with opened(task.path, self.options) as stored:
            eight_bits, lossy = is_cut_to_eight_bits(stored), stored.format in ("JPEG", "MPO", "AVIF", "JPEG2000")
            pages = stored.format != "MPO" and getattr(stored, "n_frames", 1) > 1  # of MPO the others are previews
            photo = PillowPhoto(stored)
            left, top, right, bottom = self.config.expand
            canvas = (photo.width + left + right, photo.height + top + bottom)
            self.options.check_size(*canvas)
            kind = kind_like(stored, task.path, size=canvas)
        size = (photo.width, photo.height)
        hole, rule, scaled = self._hole(task, stored, size)
        seen = Seen(task, kind, size, lossy, float(hole.mean()), rule, scaled, eight_bits, pages)
        return Photo(stored, hole), seen

    def _hole(self, task: Task, stored: Image.Image, size: tuple[int, int]) -> tuple[np.ndarray, str | None, bool]:
        config = self.config
        if task.mask is not None:
            try:
                return open_mask(task.mask, hole=config.mask_hole, size=size, options=self.options)
            except BadImageError as error:
                raise BadImageError(f"mask {shown(task.mask.name)}: {error}") from error
        if config.mask_hole == ALPHA:
            return transparent_pixels(stored), None, False
        if any(config.expand):
            return np.zeros((size[1], size[0]), bool), None, False
        style, share = config.hole_style, config.hole_share
        hole = draw_hole_for(*size, style=style, seed=config.seed, index=task.number, share=share)
        return hole, None, False

    def _tell(self, seen: Sequence[Seen]) -> None:
        """Log once what is unusual about images and masks; raise ValueError when most masks look inverted."""
        config = self.config
        masks = [one.task.mask or one.task.path for one in seen]
        if config.masks or config.mask_hole == ALPHA:
            tell_rules(masks, [one.rule for one in seen])
            names = [mask.name for mask in masks]
            check_holes([one.share for one in seen], names, hole=config.mask_hole, max_share=config.max_hole_share)
        total = len(seen)
        for chosen, what in (
            ([one for one in seen if one.scaled], "masks have another size than their images and were scaled to it"),
            ([one for one in seen if one.eight_bits], "images have 16 bits per colour, of which 8 are read: their results have 8"),
            ([one for one in seen if one.pages], "files hold several images, of which the first is filled and written"),
        ):
            if chosen:
                log.warning(f"Warning: {len(chosen)} of {total} {what}: {some([shown(one.task.path.name) for one in chosen])}")


def check_resolution(seen: Sequence[Seen], resolution: int) -> None:
    """Raise ValueError naming images that have not the run's resolution, for `strategy=original`."""
    others = [f"{shown(one.task.path.name)} ({one.size[0]}x{one.size[1]})" for one in seen if set(one.size) != {resolution}]
    if others:
        raise ValueError(
            f"strategy=original takes images of {resolution}x{resolution} pixels only, and {len(others)} of {len(seen)} are "
            f"others: {some(others)}. strategy=crop fills images of any size"
        )
