"""A contact sheet of images of any size: a row for each, panels of one height, holes outlined."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskgit_lab.data.shrinking import cover
from maskgit_lab.machine.whole_file import whole_file

MARGIN = 8  # pixels between and around the panels
HEADING = 28  # pixels of a line of text
TITLE, TEXT = 15, 13  # pixels of the letters
BOLD = 0.4  # pixels around the letters: Pillow brings one font, in one weight
PANEL = (420, 240)  # largest width and height of an image in pixels
LARGEST_ENLARGEMENT = 4  # times, of small images: pixels stay visible as such
OUTLINE = (255, 0, 128)
OUTLINE_WIDTH = 2  # pixels, with a white line of one pixel around it: one of the two shows on any image


@dataclass(frozen=True)
class Panel:
    """An image under a few words."""

    heading: str
    image: Image.Image  # RGB, of at most `PANEL`'s size


def fitted_size(width: int, height: int, *, most: tuple[int, int] = PANEL) -> tuple[int, int]:
    """Return the size at which an image of this size is shown: shrunk until it fits, or enlarged by a whole number."""
    scale = min(most[0] / width, most[1] / height)
    if scale >= 1:
        scale = min(int(scale), LARGEST_ENLARGEMENT)
    return max(1, round(width * scale)), max(1, round(height * scale))


def fitted(image: np.ndarray, *, hole: np.ndarray | None = None, most: tuple[int, int] = PANEL, fill: bool = False) -> Image.Image:
    """Return an image (H, W, 3) uint8 at the size at which it is shown.

    Args:
        image: of any size.
        hole: (H, W) bool, whose outline is drawn; None = none is.
        most: largest width and height.
        fill: take all of that also where it is no whole number of times as large.

    Returns:
        RGB.
    """
    height, width = image.shape[:2]
    size = fitted_size(width, height, most=most)
    whole = size[0] >= width
    if fill:
        scale = min(most[0] / width, most[1] / height)
        size, whole = (max(1, round(width * scale)), max(1, round(height * scale))), scale == int(scale)
    shown = Image.fromarray(image).resize(size, Image.Resampling.NEAREST if whole else Image.Resampling.LANCZOS, reducing_gap=3)
    if hole is None or not hole.any():
        return shown
    pixels = np.array(shown)
    inside = cover(hole, size=size, box=(0, 0, width, height))
    line = grown(inside, OUTLINE_WIDTH)
    pixels[grown(line, 1) & ~inside] = 255
    pixels[line & ~inside] = OUTLINE
    return Image.fromarray(pixels)


def grown(cells: np.ndarray, by: int) -> np.ndarray:
    """Return (h, w) bool with everything that is at most `by` pixels away in a row or column, step by step."""
    for _ in range(by):
        more = cells.copy()
        more[1:] |= cells[:-1]
        more[:-1] |= cells[1:]
        more[:, 1:] |= cells[:, :-1]
        more[:, :-1] |= cells[:, 1:]
        cells = more
    return cells


def save_sheet(path: Path, rows: Sequence[tuple[str, Sequence[Panel]]]) -> Path:
    """Write a contact sheet.

    Args:
        path: a PNG file.
        rows: a line of text and panels for each image; at least one panel.

    Returns:
        `path`.
    """
    title_font, font = ImageFont.load_default(TITLE), ImageFont.load_default(TEXT)
    least = int(max(title_font.getlength(title) for title, _ in rows))
    widths = [[max(panel.image.width, int(font.getlength(panel.heading)) + 2) for panel in panels] for _, panels in rows]
    heights = [max(panel.image.height for panel in panels) for _, panels in rows]
    width = max(least, *(sum(own) + MARGIN * (len(own) - 1) for own in widths)) + 2 * MARGIN
    sheet = Image.new("RGB", (width, sum(heights) + len(rows) * (2 * HEADING + MARGIN) + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for (title, panels), own, height in zip(rows, widths, heights, strict=True):
        draw.text((MARGIN, top + HEADING / 2), title, fill="black", font=title_font, anchor="lm", stroke_width=BOLD)
        left = MARGIN
        for panel, wide in zip(panels, own, strict=True):
            draw.text((left, top + 1.5 * HEADING), panel.heading, fill="black", font=font, anchor="lm")
            sheet.paste(panel.image, (left, top + 2 * HEADING))
            left += wide + MARGIN
        top += 2 * HEADING + height + MARGIN
    with whole_file(path) as partial:
        sheet.save(partial, format="PNG")
    return path
