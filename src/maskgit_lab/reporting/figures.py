"""Figures of fills: rows to compare, and strips of one image's decoding.

They are pixels and a few words, put together by Pillow: a fill of one image does not wait for matplotlib (`reporting.plots`).
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from maskgit_lab.reporting.canvas import (
    HEADING,
    MARGIN,
    SMALL_TEXT,
    coloured,
    enlarged,
    new_sheet,
    outlined,
    place,
    save_sheet,
    write,
)

GAP, STRIP_SCALE = 2, 2  # of a strip: pixels between its images, and how many times all of it is enlarged
ROWS_CELL = 160  # least width of an image in pixels, so that its heading fits
NOTE = 20  # pixels of the line of small text below an image
PAIR_CELL = 96


def strip_image(
    *, image: np.ndarray, hole: np.ndarray, steps: Sequence[np.ndarray], result: np.ndarray, truth: np.ndarray | None
) -> np.ndarray:
    """Draw one image's decoding side by side: input, mask, steps, result, truth.

    Args:
        image: (H, W, 3) uint8.
        hole: (H, W) bool.
        steps: images after some decoding steps.
        result: as `image`.
        truth: as `image`.

    Returns:
        (h, w, 3) uint8, enlarged without smoothing, with white between the images and below.
    """
    panels = [image, coloured(hole), *steps, result, *([] if truth is None else [truth])]
    padded = [np.pad(panel, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for panel in panels]
    return enlarged(np.concatenate(padded, axis=1)[:, :-GAP], STRIP_SCALE)


def save_strip(path: Path, strip: np.ndarray, *, steps: Sequence[int], with_truth: bool) -> Path:
    """Write a strip of `strip_image` with a heading over each of its images.

    Args:
        path: a PNG file.
        strip: (h, w, 3) uint8; strips of several images may be stacked.
        steps: which decoding steps it shows, counted from 1.
        with_truth: whether its last image is the truth.

    Returns:
        `path`.
    """
    headings = ["input", "hole", *(f"step {step}" for step in steps), "result", *(["truth"] * with_truth)]
    sheet = new_sheet(strip.shape[1], strip.shape[0] + HEADING)
    place(sheet, strip, left=0, top=HEADING)
    pitch = strip.shape[1] / len(headings)
    for i, heading in enumerate(headings):
        write(sheet, heading, centre=(i + 0.5) * pitch, top=HEADING / 2)
    return save_sheet(sheet, path)


def save_rows(
    path: Path,
    columns: Mapping[str, np.ndarray],
    *,
    title: str = "",
    holes: np.ndarray | None = None,
    without_outline: Collection[str] = ("truth",),
    notes: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Write one row per image and one column per kind of fill, each pixel enlarged to a whole number of pixels.

    Args:
        path: a PNG file.
        columns: heading -> (n, H, W, 3) uint8, equally many in each.
        title: above the headings.
        holes: (n, H, W) bool, outlined in every column but those of `without_outline`; None = without outlines.
        without_outline: headings of columns that are left as they are.
        notes: heading -> a short text below each of its images, a score for example.

    Returns:
        `path`.
    """
    num_rows, height, width = next(iter(columns.values())).shape[:3]
    scale = -(-ROWS_CELL // width)
    height, width = height * scale, width * scale
    first = HEADING * (2 if title else 1)
    pitch = height + MARGIN + (NOTE if notes else 0)
    total_width = len(columns) * (width + MARGIN) - MARGIN
    sheet = new_sheet(total_width, first + num_rows * pitch - MARGIN)
    if title:
        write(sheet, title, centre=total_width / 2, top=HEADING / 2, bold=True)
    for j, (heading, images) in enumerate(columns.items()):
        left = j * (width + MARGIN)
        write(sheet, heading, centre=left + width / 2, top=first - HEADING / 2)
        for i, image in enumerate(images):
            top, shown = first + i * pitch, enlarged(image, scale)
            if holes is not None and heading not in without_outline:
                shown = outlined(shown, enlarged(holes[i], scale))
            place(sheet, shown, left=left, top=top)
            if notes and heading in notes:
                write(sheet, notes[heading][i], centre=left + width / 2, top=top + height + NOTE / 2, size=SMALL_TEXT)
    return save_sheet(sheet, path)


def save_pairs(path: Path, pairs: Sequence[tuple[np.ndarray, np.ndarray, str]], *, columns: int = 4) -> Path:
    """Write a contact sheet of pairs of images (H, W, 3) uint8, side by side under a line of text."""
    height, width = pairs[0][0].shape[:2]
    scale = -(-PAIR_CELL // width)
    height, width = height * scale, width * scale
    pitch_x, pitch_y = 2 * width + 3 * MARGIN, HEADING + height + MARGIN
    columns = min(columns, len(pairs))
    sheet = new_sheet(columns * pitch_x - 2 * MARGIN, -(-len(pairs) // columns) * pitch_y - MARGIN)
    for i, (first, second, text) in enumerate(pairs):
        left, top = i % columns * pitch_x, i // columns * pitch_y
        write(sheet, text, centre=left + width + MARGIN / 4, top=top + HEADING / 2, size=SMALL_TEXT)
        for side, image in enumerate((first, second)):
            place(sheet, enlarged(image, scale), left=left + side * (width + MARGIN // 2), top=top + HEADING)
    return save_sheet(sheet, path)
