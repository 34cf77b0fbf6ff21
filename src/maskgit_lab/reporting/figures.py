"""Figures of fills: rows to compare, strips of one image's decoding, and what each schedule does step by step.

They are pixels and a few words, put together by Pillow: a fill of one image does not wait for matplotlib (`reporting.plots`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskgit_lab.machine.whole_file import whole_file

GAP, STRIP_SCALE = 2, 2  # of a strip: pixels between its images, and how many times all of it is enlarged
HIDDEN_COLOUR = (0.16, 0.18, 0.26)
VISIBLE_COLOUR = (0.93, 0.91, 0.86)
MARGIN = 8  # pixels between and around the images of a figure
HEADING = 28  # pixels of a line of text
ROWS_CELL = 160  # least width of an image in pixels, so that its heading fits
STEP_CELL = 110
PAIR_CELL = 96
TITLE_WIDTH = 660
TEXT_SIZE, SMALL_TEXT = 15, 13  # pixels
BOLD_STROKE = 0.4  # pixels around the letters: Pillow brings one font, in one weight


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
    panels = [image, _coloured(hole), *steps, result, *([] if truth is None else [truth])]
    padded = [np.pad(panel, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for panel in panels]
    return _enlarged(np.concatenate(padded, axis=1)[:, :-GAP], STRIP_SCALE)


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
    figure = _pixel_figure(strip.shape[1], strip.shape[0] + HEADING)
    _place(figure, strip, left=0, top=HEADING)
    pitch = strip.shape[1] / len(headings)
    for i, heading in enumerate(headings):
        _write(figure, heading, centre=(i + 0.5) * pitch, top=HEADING / 2)
    return _save(figure, path)


def save_rows(path: Path, columns: Mapping[str, np.ndarray], *, title: str = "") -> Path:
    """Write one row per image and one column per kind of fill, each pixel enlarged to a whole number of pixels.

    Args:
        path: a PNG file.
        columns: heading -> (n, H, W, 3) uint8, equally many in each.
        title: above the headings.

    Returns:
        `path`.
    """
    num_rows, height, width = next(iter(columns.values())).shape[:3]
    scale = -(-ROWS_CELL // width)
    height, width = height * scale, width * scale
    first = HEADING * (2 if title else 1)
    total_width = len(columns) * (width + MARGIN) - MARGIN
    figure = _pixel_figure(total_width, first + num_rows * (height + MARGIN) - MARGIN)
    if title:
        _write(figure, title, centre=total_width / 2, top=HEADING / 2, bold=True)
    for j, (heading, images) in enumerate(columns.items()):
        left = j * (width + MARGIN)
        _write(figure, heading, centre=left + width / 2, top=first - HEADING / 2)
        for i, image in enumerate(images):
            _place(figure, _enlarged(image, scale), left=left, top=first + i * (height + MARGIN))
    return _save(figure, path)


def save_pairs(path: Path, pairs: Sequence[tuple[np.ndarray, np.ndarray, str]], *, columns: int = 4) -> Path:
    """Write a contact sheet of pairs of images (H, W, 3) uint8, side by side under a line of text."""
    height, width = pairs[0][0].shape[:2]
    scale = -(-PAIR_CELL // width)
    height, width = height * scale, width * scale
    pitch_x, pitch_y = 2 * width + 3 * MARGIN, HEADING + height + MARGIN
    columns = min(columns, len(pairs))
    figure = _pixel_figure(columns * pitch_x - 2 * MARGIN, -(-len(pairs) // columns) * pitch_y - MARGIN)
    for i, (first, second, text) in enumerate(pairs):
        left, top = i % columns * pitch_x, i // columns * pitch_y
        _write(figure, text, centre=left + width + MARGIN / 4, top=top + HEADING / 2, size=SMALL_TEXT)
        for side, image in enumerate((first, second)):
            _place(figure, _enlarged(image, scale), left=left + side * (width + MARGIN // 2), top=top + HEADING)
    return _save(figure, path)


def save_schedule_figure(path: Path, name: str, *, step_masks: np.ndarray, step_images: np.ndarray, max_columns: int = 10) -> Path:
    """Write what a schedule does: tokens still hidden after each step, how many, and below it the prediction of that step.

    Args:
        path: a PNG file.
        name: of the schedule, for the title.
        step_masks: (S, grid, grid) bool, True = hidden.
        step_images: (S, H, W, 3) uint8.
        max_columns: steps per band; more steps wrap into bands of equal length.

    Returns:
        `path`.
    """
    scale = -(-STEP_CELL // step_images.shape[2])
    num_steps, side = len(step_masks), step_images.shape[2] * scale
    bands = -(-num_steps // max_columns)
    columns = -(-num_steps // bands)
    band_height = HEADING + 2 * side + MARGIN // 2 + HEADING // 2
    width = max(columns * (side + MARGIN) - MARGIN, TITLE_WIDTH)
    figure = _pixel_figure(width, HEADING + bands * band_height - HEADING // 2)
    title = f"{name}: tokens still hidden (dark) and the prediction after each of {num_steps} steps"
    _write(figure, title, centre=width / 2, top=HEADING / 2, bold=True)
    for step in range(num_steps):
        band, column = divmod(step, columns)
        left, top = column * (side + MARGIN), HEADING + band * band_height
        label = f"{step + 1}: {int(step_masks[step].sum())} hidden"
        _write(figure, label, centre=left + side / 2, top=top + HEADING / 2, size=SMALL_TEXT)
        cells = _coloured(step_masks[step])
        _place(figure, _enlarged(cells, side // len(cells)), left=left, top=top + HEADING)
        _place(figure, _enlarged(step_images[step], scale), left=left, top=top + HEADING + side + MARGIN // 2)
    return _save(figure, path)


def _coloured(mask: np.ndarray) -> np.ndarray:
    """Return a mask (H, W) as an image (H, W, 3) uint8."""
    colours = (np.array(colour) * 255 for colour in (HIDDEN_COLOUR, VISIBLE_COLOUR))
    return np.where(mask[..., None], *colours).astype(np.uint8)


def _enlarged(image: np.ndarray, scale: int) -> np.ndarray:
    return np.asarray(image).repeat(scale, 0).repeat(scale, 1)


def _pixel_figure(width: int, height: int) -> Image.Image:
    """Return a white figure with a border for `_place` and `_write` to keep off."""
    return Image.new("RGB", (width + 2 * MARGIN, height + 2 * MARGIN), "white")


def _place(figure: Image.Image, image: np.ndarray, *, left: int, top: int) -> None:
    """Put an image pixel for pixel."""
    figure.paste(Image.fromarray(image), (MARGIN + left, MARGIN + top))


def _write(figure: Image.Image, text: str, *, centre: float, top: float, size: int = TEXT_SIZE, bold: bool = False) -> None:
    """Put text around a point."""
    place, stroke = (MARGIN + centre, MARGIN + top), BOLD_STROKE if bold else 0
    ImageDraw.Draw(figure).text(place, text, fill="black", font=ImageFont.load_default(size), anchor="mm", stroke_width=stroke)


def _save(figure: Image.Image, path: Path) -> Path:
    """Write a figure to a PNG file, whole or not at all, and return its path."""
    with whole_file(path) as partial:
        figure.save(partial, format="PNG")
    return path
