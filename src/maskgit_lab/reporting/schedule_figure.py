"""What a mask schedule does to one image, step by step: what each step revealed, how sure it was, and what is still hidden."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from maskgit_lab.reporting.canvas import (
    HEADING,
    HIDDEN_COLOUR,
    MARGIN,
    SMALL_TEXT,
    VISIBLE_COLOUR,
    enlarged,
    new_sheet,
    outlined,
    place,
    save_sheet,
    text_width,
    write,
)

STEP_CELL = 150  # least width of an image in pixels
MOST_COLUMNS = 7  # steps side by side
TITLE_WIDTH = 760
NEW_COLOUR = (230, 30, 120)  # the line around what a step revealed
NEW_LINE = 2  # pixels
VEIL = 0.75  # how much of an image's hidden cells is covered
# of a confidence from 0 to 1, in equal steps: dark to bright, told apart without red and green
CONFIDENCE_COLOURS = np.array([(52, 66, 140), (46, 118, 158), (62, 164, 150), (150, 200, 110), (248, 226, 90)], float)
REVEALED_COLOUR = (62, 164, 150)  # where no confidence is given
IMAGE, MAP = "image", "map"  # rows of a step


@dataclass(frozen=True)
class Reveal:
    """One image's decoding in S steps on a token grid of g x g cells."""

    hole: np.ndarray  # (H, W) bool
    step_images: np.ndarray  # (S, H, W, 3) uint8: the prediction after each step
    step_masks: np.ndarray  # (S, g, g) bool: cells still hidden after each step
    start: np.ndarray | None = None  # (g, g) bool: cells hidden at first; None = those that the hole touches
    confidence: np.ndarray | None = None  # (g, g) in [0, 1]: probability of each token when it was revealed, 1 where known
    image: np.ndarray | None = None  # (H, W, 3) uint8: the input
    truth: np.ndarray | None = None  # (H, W, 3) uint8
    result: np.ndarray | None = None  # (H, W, 3) uint8: the composited fill

    @property
    def hidden_at_first(self) -> np.ndarray:
        """Cells that were filled, (g, g) bool."""
        if self.start is not None:
            return self.start
        cell = len(self.hole) // self.step_masks.shape[-1]
        touched = self.hole.reshape(self.step_masks.shape[-1], cell, -1, cell).any((1, 3))
        return np.logical_or(touched, self.step_masks.any(0))

    @property
    def highest_confidence(self) -> float:
        """The end of the confidence's scale: the highest of a revealed cell, rounded up to a tenth; 1 where none is given."""
        if self.confidence is None or not self.hidden_at_first.any():
            return 1.0
        return min(1.0, max(0.1, math.ceil(10 * float(self.confidence[self.hidden_at_first].max())) / 10))

    def revealed_in(self, step: int) -> np.ndarray:
        """Return the cells that a step, counted from 0, revealed, (g, g) bool."""
        before = self.hidden_at_first if step == 0 else self.step_masks[step - 1]
        return before & ~self.step_masks[step]


def save_schedule_figure(path: Path, name: str, reveal: Reveal, *, rows: Sequence[str] = (IMAGE, MAP), title: str = "") -> Path:
    """Write what a schedule does to one image.

    Above: the input with its hole, the fill and the truth, where they are given. Below, for every step: how many cells it revealed
    and how many are still hidden; the prediction with what is still hidden veiled and what is new outlined; the token grid, its
    revealed cells coloured by the confidence that they were revealed with.

    Args:
        path: a PNG file.
        name: of the schedule, for the title.
        reveal: the decoding.
        rows: which of `image` and `map` each step shows.
        title: another than the usual one.

    Returns:
        `path`.
    """
    num_steps, _, width = reveal.step_images.shape[:3]
    scale = -(-STEP_CELL // width)
    side = width * scale
    bands = -(-num_steps // MOST_COLUMNS)
    columns = -(-num_steps // bands)
    band_height = HEADING + len(rows) * (side + MARGIN // 2) + HEADING // 2
    references = _references(reveal)
    above = HEADING + (HEADING + side + HEADING // 2 if references else 0) + HEADING  # title, references, legend
    total = max(columns * (side + MARGIN) - MARGIN, len(references) * (side + MARGIN) - MARGIN, TITLE_WIDTH)
    sheet = new_sheet(total, above + bands * band_height - HEADING // 2)
    write(sheet, title or f"{name}: what each of {num_steps} steps revealed", centre=total / 2, top=HEADING / 2, bold=True)
    for column, (heading, shown) in enumerate(references.items()):
        left = column * (side + MARGIN)
        write(sheet, heading, centre=left + side / 2, top=HEADING * 1.5)
        large = enlarged(shown, scale)
        place(sheet, outlined(large, enlarged(reveal.hole, scale)) if heading == "input" else large, left=left, top=2 * HEADING)
    _legend(sheet, reveal, top=above - HEADING, rows=rows)
    for step in range(num_steps):
        band, column = divmod(step, columns)
        left, top = column * (side + MARGIN), above + band * band_height
        new = int(reveal.revealed_in(step).sum())
        label = f"{step + 1}: {new} new, {int(reveal.step_masks[step].sum())} hidden"
        write(sheet, label, centre=left + side / 2, top=top + HEADING / 2, size=SMALL_TEXT)
        for row, kind in enumerate(rows):
            shown = _step_image(reveal, step, side) if kind == IMAGE else _step_map(reveal, step, side)
            place(sheet, shown, left=left, top=top + HEADING + row * (side + MARGIN // 2))
    return save_sheet(sheet, path)


def _references(reveal: Reveal) -> dict[str, np.ndarray]:
    given = {"input": reveal.image, "fill": reveal.result, "truth": reveal.truth}
    return {heading: image for heading, image in given.items() if image is not None}


def _cells(grid: np.ndarray, side: int) -> np.ndarray:
    """Return a grid (g, g, ...) with its cells as large as in an image of `side` pixels."""
    return enlarged(grid, side // len(grid))


def _step_image(reveal: Reveal, step: int, side: int) -> np.ndarray:
    """Return the prediction of a step, hidden cells veiled and new ones outlined, (side, side, 3) uint8."""
    image = enlarged(reveal.step_images[step], side // reveal.step_images.shape[1])
    veiled = (1 - VEIL) * image + VEIL * np.array(HIDDEN_COLOUR)
    shown = np.where(_cells(reveal.step_masks[step], side)[..., None], veiled, image).astype(np.uint8)
    return outlined(shown, _cells(reveal.revealed_in(step), side), colour=NEW_COLOUR, width=NEW_LINE)


def _step_map(reveal: Reveal, step: int, side: int) -> np.ndarray:
    """Return the token grid after a step: known, hidden, revealed by confidence, new ones outlined, (side, side, 3) uint8."""
    hidden, at_first = reveal.step_masks[step], reveal.hidden_at_first
    if reveal.confidence is None:
        revealed = np.broadcast_to(np.array(REVEALED_COLOUR), (*hidden.shape, 3))
    else:
        revealed = confidence_colours(reveal.confidence / reveal.highest_confidence)
    colours = np.where(hidden[..., None], HIDDEN_COLOUR, np.where(at_first[..., None], revealed, VISIBLE_COLOUR)).astype(np.uint8)
    return outlined(_cells(colours, side), _cells(reveal.revealed_in(step), side), colour=NEW_COLOUR, width=NEW_LINE)


def confidence_colours(confidence: np.ndarray) -> np.ndarray:
    """Return colours (..., 3) in 0..255 of confidences (...) from 0 to 1."""
    place_on_scale = np.clip(confidence, 0, 1) * (len(CONFIDENCE_COLOURS) - 1)
    stops = np.arange(len(CONFIDENCE_COLOURS))
    return np.stack([np.interp(place_on_scale, stops, channel) for channel in CONFIDENCE_COLOURS.T], -1)


def _legend(sheet: Image.Image, reveal: Reveal, *, top: int, rows: Sequence[str]) -> None:
    """Write what the colours mean, from the left."""
    swatch, left = 14, 0
    new = outlined(
        np.full((swatch, swatch, 3), VISIBLE_COLOUR, np.uint8), np.ones((swatch, swatch), bool), colour=NEW_COLOUR, width=2
    )
    entries: list[tuple[np.ndarray, str]] = [
        (new, "new in this step"),
        (
            np.full((swatch, swatch, 3), HIDDEN_COLOUR, np.uint8),
            "still hidden" + (" (veiled in the image)" if IMAGE in rows else ""),
        ),
    ]
    if MAP in rows:
        entries.append((np.full((swatch, swatch, 3), VISIBLE_COLOUR, np.uint8), "known"))
    if MAP in rows and reveal.confidence is not None:
        scale = confidence_colours(np.linspace(0, 1, 90)).astype(np.uint8)
        shown = np.broadcast_to(scale, (swatch, 90, 3)).copy()
        entries.append((shown, f"revealed, by its confidence: 0 to {reveal.highest_confidence:g}"))
    elif MAP in rows:
        entries.append((np.full((swatch, swatch, 3), REVEALED_COLOUR, np.uint8), "revealed"))
    for image, text in entries:
        place(sheet, image, left=left, top=top + (HEADING - swatch) // 2)
        left += image.shape[1] + 5
        write(sheet, text, centre=left, top=top + HEADING / 2, size=SMALL_TEXT, anchor="lm")
        left += round(text_width(text, SMALL_TEXT)) + 24
