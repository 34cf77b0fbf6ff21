"""Fill the holes of images of any size: cut squares, let the network fill them, paste the hole's pixels back.

Squares of one round are cut before any is pasted, in all images, and filled in batches; the order of images and holes has no
influence. Later rounds, for holes that are filled in pieces, see what earlier ones pasted.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from maskgit_lab.core.pixels import composite
from maskgit_lab.repair.filled import Crop, with_hidden_grey
from maskgit_lab.repair.histogram import matched
from maskgit_lab.repair.photo import Box, Photo
from maskgit_lab.repair.pieces import kept, next_pieces
from maskgit_lab.repair.plan import Geometry, InPieces, OneSquare, planned
from maskgit_lab.repair.regions import Regions
from maskgit_lab.repair.squares import Square, enlarged, placed, shrunk, shrunk_hole

log = logging.getLogger("maskgit_lab")

STRATEGIES = ("crop", "resize", "original")
ENLARGED_MUCH = 4  # times
NEXT_CROP = 2**40  # added to an image's number for the noise of its next crop
CELLS = 16  # per side of the network's resolution: holes in neighbouring cells of that size, in pixels of the image, are one


@dataclass(frozen=True)
class FilledSquares:
    """What the network made of a batch of squares: one candidate for each."""

    decoded: np.ndarray  # (B, R, R, 3) uint8: the decoder's whole output
    confidence: np.ndarray  # (B, grid, grid) float32: probability of each token when it was chosen, 1 for known ones
    step_images: np.ndarray  # (S, B, R, R, 3) uint8; S = 0 without steps
    step_masks: np.ndarray  # (S, B, grid, grid) bool: tokens still hidden after each step


class FillSquares(Protocol):
    """Fills squares at its resolution."""

    def __call__(
        self, images: np.ndarray, holes: np.ndarray, numbers: Sequence[int], *, first_sample: int, num_samples: int
    ) -> list[FilledSquares]:
        """Fill a batch: uint8 (B, R, R, 3), bool (B, R, R); `numbers` choose the noise; one result for each sample."""


@dataclass(frozen=True)
class Settings:
    """How squares are chosen and pasted."""

    geometry: Geometry
    strategy: str = "crop"
    blend: int = 0  # `decode.mask_blend_pixels`, in pixels of the network
    match_histogram: bool = False

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, got {self.strategy!r}")


def fill_photos(
    photos: Sequence[Photo],
    holes: Sequence[np.ndarray],
    numbers: Sequence[int],
    fill: FillSquares,
    *,
    settings: Settings,
    num_samples: int,
) -> list["FilledPhoto"]:
    """Fill every hole of every image.

    Args:
        photos: of any size.
        holes: (H, W) bool of each, True = hole.
        numbers: of each image, which choose its noise.
        fill: the network.
        settings: how.
        num_samples: candidates for each image.

    Returns:
        The images, filled.

    Raises:
        ValueError: when an image has not the network's resolution and the strategy is `original`.
    """
    filled = [
        FilledPhoto(photo, hole, number, settings, num_samples)
        for photo, hole, number in zip(photos, holes, numbers, strict=True)
    ]  # fmt: skip
    _warn_of_enlargement(filled, settings.geometry.resolution)
    first = True
    while tasks := [(one, task) for one in filled for task in one.next_tasks()]:
        samples = [(0, num_samples)] if first else [(sample, 1) for sample in range(num_samples)]
        answers: list[FilledSquares] = []
        for sample, count in samples:
            images = np.stack([one.cut(task.square, sample) for one, task in tasks])
            squares = np.stack([task.hole for _, task in tasks])
            answers += fill(images, squares, [task.number for _, task in tasks], first_sample=sample, num_samples=count)
            if sample == 0:
                shown = images
        for i, (one, task) in enumerate(tasks):
            one.paste(task, shown[i], [_one_of(answer, i) for answer in answers])
        first = False
    return filled


def _one_of(answer: FilledSquares, i: int) -> FilledSquares:
    part = slice(i, i + 1)
    return FilledSquares(answer.decoded[part], answer.confidence[part], answer.step_images[:, part], answer.step_masks[:, part])


def _warn_of_enlargement(filled: Sequence["FilledPhoto"], resolution: int) -> None:
    largest = max((side for one in filled for side in one.sides()), default=0) / resolution
    if largest > ENLARGED_MUCH:
        log.warning(
            f"A fill of {resolution}x{resolution} pixels is enlarged {largest:.1f} times to fit its hole and will look soft: "
            "smaller holes, or a run of a higher resolution, are sharper"
        )


@dataclass(frozen=True)
class _Task:
    """One square to fill."""

    square: Square
    hole: np.ndarray  # (R, R) bool
    part: Box  # of the image: where pixels are pasted
    pasted: np.ndarray  # (h, w) bool, which of them
    number: int


class FilledPhoto:
    """An image while it is filled, and after.

    Args:
        photo: the image.
        hole: (H, W) bool.
        number: chooses the noise.
        settings: how.
        num_samples: candidates.
    """

    def __init__(self, photo: Photo, hole: np.ndarray, number: int, settings: Settings, num_samples: int) -> None:
        self.photo, self.number, self.settings = photo, number, settings
        self.crops: list[Crop] = []
        self.hole, self.left = hole, hole.copy()
        self._whole: list[OneSquare] = []
        self._pieces: list[tuple[InPieces, np.ndarray]] = []  # and which pixels (h, w) bool of its box are left
        self._choose()
        photo.look(hole)
        self.box = self._covered()
        self.pixels = [photo.rgb(self.box)]
        self.pixels += [self.pixels[0].copy() for _ in range(num_samples - 1)]

    def _choose(self) -> None:
        width, height, geometry = self.photo.width, self.photo.height, self.settings.geometry
        own = width == height == geometry.resolution
        if self.settings.strategy == "original" and not own:
            raise ValueError(
                f"strategy=original takes images of {geometry.resolution}x{geometry.resolution} pixels, got {width}x{height}: "
                "strategy=crop fills images of any size"
            )
        if own or (self.settings.strategy == "resize" and self.hole.any()):
            side = max(width, height)
            square = Square(placed(width / 2, side, width), placed(height / 2, side, height), side)
            self._regions = None
            self._whole = [OneSquare(square, ())]
            return
        if not self.hole.any():
            return
        self._regions = Regions.of(self.hole, max(1, geometry.resolution // CELLS))
        self._whole, pieces = planned(self._regions, width, height, geometry)
        self._pieces = [(piece, self._of_regions(piece.region.box, (piece.region.number,))) for piece in pieces]

    def sides(self) -> list[int]:
        """Return the sides of its squares in pixels."""
        return [one.square.side for one in self._whole] + [piece.side for piece, _ in self._pieces]

    def _covered(self) -> Box:
        """Return the part of the image that its squares may cover."""
        width, height = self.photo.width, self.photo.height
        boxes = [one.square.inside(width, height) for one in self._whole]
        for piece, _ in self._pieces:
            left, top, right, bottom = piece.region.box
            side = piece.side
            boxes.append((max(0, left - side), max(0, top - side), min(width, right + side), min(height, bottom + side)))
            if side > width or side > height:
                boxes.append((0, 0, width, height))
        if not boxes:
            return (0, 0, 0, 0)
        lefts, tops, rights, bottoms = zip(*boxes, strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)

    def _of_regions(self, box: Box, numbers: tuple[int, ...]) -> np.ndarray:
        """Return which pixels of a part belong to some of the holes, all of them when there are no numbers."""
        left, top, right, bottom = box
        hole = self.left[top:bottom, left:right]
        if self._regions is None:
            return hole.copy()
        found = self._regions.numbers(np.arange(top, bottom), np.arange(left, right))
        return hole & (np.isin(found, numbers) if len(numbers) > 1 else found == numbers[0])

    def next_tasks(self) -> list[_Task]:
        """Return the squares of the next round, none when everything is filled."""
        width, height = self.photo.width, self.photo.height
        tasks: list[_Task] = []
        for one in self._whole:
            part = one.square.inside(width, height)
            tasks.append(self._task(one.square, part, self._of_regions(part, one.regions), len(tasks)))
        self._whole = []
        for piece, left in self._pieces:
            box = piece.region.box
            share = self.settings.geometry.hole_share[1]
            for square in next_pieces(left, box, width=width, height=height, side=piece.side, largest_share=share):
                rows, columns = kept(square, self.left)
                part = (max(columns.start, box[0]), max(rows.start, box[1]), min(columns.stop, box[2]), min(rows.stop, box[3]))
                own = left[part[1] - box[1] : part[3] - box[1], part[0] - box[0] : part[2] - box[0]]
                tasks.append(self._task(square, part, own.copy(), len(tasks)))
                own[:] = False
        self._pieces = [(piece, left) for piece, left in self._pieces if left.any()]
        return tasks

    def _task(self, square: Square, part: Box, pasted: np.ndarray, place: int) -> _Task:
        rows, columns = square.rows(self.photo.height), square.columns(self.photo.width)
        hole = shrunk_hole(_taken(self.left, rows, columns), self.settings.geometry.resolution)
        return _Task(square, hole, *_trimmed(part, pasted), self.number + NEXT_CROP * (len(self.crops) + place))

    def cut(self, square: Square, sample: int) -> np.ndarray:
        """Return a square of a candidate as the network sees it, (R, R, 3) uint8."""
        rows = square.rows(self.photo.height) - self.box[1]
        columns = square.columns(self.photo.width) - self.box[0]
        return shrunk(_taken(self.pixels[sample], rows, columns), self.settings.geometry.resolution)

    def paste(self, task: _Task, image: np.ndarray, answers: Sequence[FilledSquares]) -> None:
        """Take the pixels of a filled square into each candidate."""
        crop = Crop(
            box=(task.square.left, task.square.top, task.square.side),
            image=image,
            hole=task.hole,
            decoded=np.concatenate([answer.decoded for answer in answers]),
            confidence=np.concatenate([answer.confidence for answer in answers]),
            step_images=np.stack([answer.step_images[:, 0] for answer in answers]),
            step_masks=np.stack([answer.step_masks[:, 0] for answer in answers]),
            pasted=task.pasted,
            part=task.part,
        )
        self.crops.append(crop)
        for sample, pixels in enumerate(self.pixels):
            self._place(pixels, crop, crop.decoded[sample])
        left, top, right, bottom = task.part
        self.left[top:bottom, left:right] &= ~task.pasted

    def _place(self, pixels: np.ndarray, crop: Crop, decoded: np.ndarray, hidden: np.ndarray | None = None) -> None:
        """Put what was decoded into the pixels of `box`; grey where tokens (grid, grid) bool are still hidden."""
        if not crop.pasted.any():
            return
        left, top, right, bottom = crop.part
        blend, (x, y, side) = self.settings.blend, crop.box
        if self.settings.match_histogram:
            decoded = matched(decoded, crop.image, crop.hole)
        small = _composited(decoded, crop.image, crop.hole, blend)
        if hidden is not None:
            small = with_hidden_grey(small, hidden, crop.hole)
        new = enlarged(small, side, (left - x, top - y, right - x, bottom - y))
        target = pixels[top - self.box[1] : bottom - self.box[1], left - self.box[0] : right - self.box[0]]
        target[crop.pasted] = new[crop.pasted]

    def frame(self, sample: int, step: int | None) -> Any:
        """Return the image of a candidate as it was given, after a step of all its crops, None = the result."""
        if not self.crops:
            return self.photo.replaced(np.empty((0, 0, 3), np.uint8), np.zeros((0, 0), bool), (0, 0, 0, 0))
        pixels = self.pixels[sample]
        if step is not None:
            pixels = pixels.copy()
            for crop in self.crops:
                hidden = crop.step_masks[sample, step]
                self._place(pixels, crop, crop.step_images[sample, step], hidden)
        left, top, right, bottom = self.box
        return self.photo.replaced(pixels, self.hole[top:bottom, left:right], self.box)


def _taken(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return rows and columns of (H, W, ...), as a view where they follow each other."""
    if rows[-1] - rows[0] == len(rows) - 1 and columns[-1] - columns[0] == len(columns) - 1:
        return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return values[rows[:, None], columns[None]]


def _trimmed(part: Box, pasted: np.ndarray) -> tuple[Box, np.ndarray]:
    """Return the smallest part with all pixels that are pasted."""
    rows, columns = np.flatnonzero(pasted.any(1)), np.flatnonzero(pasted.any(0))
    if len(rows) == 0:
        return (part[0], part[1], part[0], part[1]), pasted[:0, :0]
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return (part[0] + left, part[1] + top, part[0] + right, part[1] + bottom), pasted[top:bottom, left:right]


def _composited(decoded: np.ndarray, image: np.ndarray, hole: np.ndarray, blend: int) -> np.ndarray:
    given = (torch.from_numpy(np.ascontiguousarray(values))[None] for values in (decoded, image, hole))
    return composite(*given, blend=blend)[0].numpy()
