"""What `inpaint` draws of a filled image: its row of the contact sheet, its reveal as an animation, the steps of a crop."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from maskgit_lab.core.pixels import HOLE_GREY
from maskgit_lab.data.image_set import paint_holes
from maskgit_lab.repair.filled import Crop, Filled
from maskgit_lab.repair.photo import Box
from maskgit_lab.repair.pillow_photo import PillowPhoto
from maskgit_lab.reporting.animation import save_animation
from maskgit_lab.reporting.contact_sheet import PANEL, Panel, fitted
from maskgit_lab.reporting.figures import save_strip, strip_image

MOST_CANDIDATES = 6
DETAIL = (PANEL[1], PANEL[1])  # crops are square
DETAIL_BELOW = 0.5  # share of the image up to which a crop is shown beside it
FRAME = (640, 640)  # largest size of an animation
WHOLE_UP_TO = 900  # longer side in pixels of images of which the animation shows all, not only where something changes


@dataclass(frozen=True)
class FilledImage:
    """One image of a fill, as a viewer shows it."""

    given: PillowPhoto  # on the larger canvas, where it was expanded
    hole: np.ndarray  # (H, W) bool of that
    filled: Filled
    number: int  # of the image in `filled`
    results: Sequence[Image.Image]  # a candidate each
    margins: Sequence[int] = (0, 0, 0, 0)  # left, top, right and bottom, by which its canvas grew

    @property
    def crops(self) -> list[Crop]:
        """Its squares."""
        return self.filled.crops[self.number]

    @property
    def whole(self) -> Box:
        """The whole image."""
        return (0, 0, self.given.width, self.given.height)

    def before(self, box: Box) -> np.ndarray:
        """Return a part of the image as it was given, (h, w, 3) uint8; grey where its canvas grew."""
        pixels = self.given.rgb(box)
        left, top, right, bottom = self.margins
        rows, columns = np.arange(box[1], box[3]), np.arange(box[0], box[2])
        pixels[(rows < top) | (rows >= self.given.height - bottom)] = HOLE_GREY
        pixels[:, (columns < left) | (columns >= self.given.width - right)] = HOLE_GREY
        return pixels

    def after(self, candidate: int, box: Box) -> np.ndarray:
        """Return a part of a result, (h, w, 3) uint8."""
        return self._rgb(self.results[candidate], box)

    def frames(self, box: Box) -> Iterator[np.ndarray]:
        """Yield a part of the first candidate after each step, (h, w, 3) uint8."""
        for frame in self.filled.frames(self.number, 0):
            yield self._rgb(frame, box)

    def _rgb(self, image: Image.Image, box: Box) -> np.ndarray:
        photo = PillowPhoto(image)
        photo.range = self.given.range  # of black and white, which the file said
        return photo.rgb(box)


def panels(image: FilledImage) -> list[Panel]:
    """Return the row of an image in the contact sheet: input, results, and the crop of its largest hole where it is small."""
    whole = image.whole
    row = [Panel("input", fitted(image.before(whole), hole=image.hole))]
    largest = max(image.crops, key=lambda crop: int(crop.pasted.sum()), default=None)
    shown = range(min(len(image.results), MOST_CANDIDATES))
    headings = ["result"] if len(image.results) == 1 else [f"candidate {k + 1}" for k in shown]
    box = None if largest is None else largest.square.inside(whole[2], whole[3])
    if box is None or (box[2] - box[0]) * (box[3] - box[1]) > DETAIL_BELOW * whole[2] * whole[3]:
        row += [Panel(heading, fitted(image.after(k, whole))) for k, heading in enumerate(headings)]
    else:
        hole = image.hole[box[1] : box[3], box[0] : box[2]]
        if len(image.results) == 1:
            row.append(Panel("result", fitted(image.after(0, whole))))
        row.append(Panel(f"crop of {box[2] - box[0]} pixels", fitted(image.before(box), hole=hole, most=DETAIL, fill=True)))
        row += [
            Panel(f"{heading}, crop", fitted(image.after(k, box), most=DETAIL, fill=True)) for k, heading in enumerate(headings)
        ]
    if largest is not None:
        small = largest.decoded[0]
        row.append(Panel(f"decoded, {small.shape[1]} x {small.shape[0]}", fitted(small, most=DETAIL)))
    return row


def save_reveal(path: Path, image: FilledImage) -> None:
    """Write the animation of an image: all of it, or of a large photo the part around its holes."""
    box = image.whole if max(image.whole) <= WHOLE_UP_TO else _around(image.crops, image.whole)
    frames = [image.before(box), *image.frames(box)]
    save_animation(path, [fitted(frame, most=FRAME) for frame in frames])


def _around(crops: Sequence[Crop], whole: Box) -> Box:
    """Return the part of an image that its crops cover, the whole where there are none."""
    boxes = [crop.square.inside(whole[2], whole[3]) for crop in crops]
    if not boxes:
        return whole
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def save_steps(path: Path, crop: Crop, candidate: int) -> None:
    """Write a strip with every decoding step of a crop."""
    given, steps = crop.image[None], crop.step_images[candidate]
    result = np.where(crop.hole[..., None], crop.decoded[candidate], crop.image)
    strip = strip_image(image=paint_holes(given, crop.hole[None])[0], hole=crop.hole, steps=list(steps), result=result, truth=None)
    save_strip(path, strip, steps=range(1, len(steps) + 1), with_truth=False)
