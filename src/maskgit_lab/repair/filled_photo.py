"""One image while its holes are filled: which squares are next, what the network sees of them, what is pasted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from maskgit_lab.core.pixels import HOLE_GREY, composite
from maskgit_lab.repair.filled import Crop
from maskgit_lab.repair.histogram import matched
from maskgit_lab.repair.membrane import fitted
from maskgit_lab.repair.network import FilledSquares
from maskgit_lab.repair.photo import Box, Photo
from maskgit_lab.repair.pieces import kept, next_pieces
from maskgit_lab.repair.plan import InPieces, OneSquare, planned
from maskgit_lab.repair.regions import Regions
from maskgit_lab.repair.settings import Settings
from maskgit_lab.repair.squares import Square, enlarged, enlarged_cells, placed, shrunk, shrunk_hole

NEXT_CROP = 2**40  # added to an image's number for the noise of its next crop
RIM = 3  # pixels beside a hole to which its fill is fitted
CELLS = 16  # per side of the network's resolution: holes in neighbouring cells of that size, in pixels of the image, are one


@dataclass(frozen=True)
class Task:
    """One square to fill."""

    square: Square
    hole: np.ndarray  # (R, R) bool
    part: Box  # of the image: where pixels are pasted
    pasted: np.ndarray  # (h, w) bool, which of them
    number: int  # which chooses its noise
    place: int  # among the crops of its image


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
        self._own = width == height == geometry.resolution
        if self.settings.strategy == "original" and not self._own:
            raise ValueError(
                f"strategy=original takes images of {geometry.resolution}x{geometry.resolution} pixels, got {width}x{height}: "
                "strategy=crop fills images of any size"
            )
        if self._own or (self.settings.strategy == "resize" and self.hole.any()):
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

    def next_tasks(self) -> list[Task]:
        """Return the squares of the next round, none when everything is filled."""
        width, height = self.photo.width, self.photo.height
        tasks: list[Task] = []
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

    def _task(self, square: Square, part: Box, pasted: np.ndarray, place: int) -> Task:
        rows, columns = square.rows(self.photo.height), square.columns(self.photo.width)
        # a copy: what is left changes when others are pasted
        hole = shrunk_hole(_taken(self.left, rows, columns), self.settings.geometry.resolution).copy()
        place += len(self.crops)
        return Task(square, hole, *_trimmed(part, pasted), self.number + NEXT_CROP * place, place)

    def cut(self, square: Square, sample: int) -> np.ndarray:
        """Return a square of a candidate as the network sees it, (R, R, 3) uint8."""
        rows = square.rows(self.photo.height) - self.box[1]
        columns = square.columns(self.photo.width) - self.box[0]
        return shrunk(_taken(self.pixels[sample], rows, columns), self.settings.geometry.resolution)

    def paste(self, task: Task, image: np.ndarray, answers: Sequence[FilledSquares]) -> None:
        """Take the pixels of a filled square into each candidate."""
        crop = Crop(
            box=task.square.box,
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
            self._place(pixels, crop, crop.decoded[sample], self.left)
        left, top, right, bottom = task.part
        self.left[top:bottom, left:right] &= ~task.pasted

    def _place(
        self, pixels: np.ndarray, crop: Crop, decoded: np.ndarray, left_now: np.ndarray, hidden: np.ndarray | None = None
    ) -> None:
        """Put what was decoded into the pixels of `box`.

        `left_now` (H, W) bool is what is not known of the image; grey is where tokens `hidden` (grid, grid) bool are.
        """
        if not crop.pasted.any():
            return
        (left, top, right, bottom), (x, y, side) = crop.part, crop.box
        if self.settings.match_histogram:
            decoded = matched(decoded, crop.image, crop.hole)
        fit = self.settings.seamless and not self._own
        # what is fitted is the decoder's whole output: its error at the rim is that of the fill
        small = decoded if fit else _composited(decoded, crop.image, crop.hole, self.settings.blend)
        # with the known pixels beside the hole, to which it is fitted
        edge = max(left - RIM, x, 0), max(top - RIM, y, 0), min(right + RIM, x + side), min(bottom + RIM, y + side)
        edge = (*edge[:2], min(edge[2], self.photo.width), min(edge[3], self.photo.height))
        part = (edge[0] - x, edge[1] - y, edge[2] - x, edge[3] - y)
        new = enlarged(small, side, part)
        target = pixels[edge[1] - self.box[1] : edge[3] - self.box[1], edge[0] - self.box[0] : edge[2] - self.box[0]]
        inside = np.zeros(target.shape[:2], bool)
        inside[top - edge[1] : bottom - edge[1], left - edge[0] : right - edge[0]] = crop.pasted
        if fit:
            new = fitted(new, target, left_now[edge[1] : edge[3], edge[0] : edge[2]])
        if hidden is not None:
            new = np.where(enlarged_cells(hidden, side, part)[..., None], np.uint8(HOLE_GREY), new)
        target[inside] = new[inside]

    def frame(self, sample: int, step: int | None) -> Any:
        """Return the image of a candidate as it was given, after a step of all its crops, None = the result."""
        if not self.crops:
            return self.photo.replaced(np.empty((0, 0, 3), np.uint8), np.zeros((0, 0), bool), (0, 0, 0, 0))
        pixels = self.pixels[sample]
        if step is not None:
            pixels = pixels.copy()
            for crop in self.crops:
                hidden = crop.step_masks[sample, step]
                self._place(pixels, crop, crop.step_images[sample, step], self.hole, hidden)
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
