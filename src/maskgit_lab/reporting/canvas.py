"""A white sheet for images and a few words: pixels are placed one for one, Pillow draws the letters."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskgit_lab.machine.whole_file import whole_file

HIDDEN_COLOUR = (41, 46, 66)
VISIBLE_COLOUR = (237, 232, 219)
HOLE_LINE = (255, 64, 129)  # around a hole: a colour that faces and fills do not have
MARGIN = 8  # pixels between and around the images of a figure
HEADING = 28  # pixels of a line of text
TEXT_SIZE, SMALL_TEXT = 15, 13  # pixels
BOLD_STROKE = 0.4  # pixels around the letters: Pillow brings one font, in one weight


def new_sheet(width: int, height: int) -> Image.Image:
    """Return a white sheet with a border for `place` and `write` to keep off; sizes in pixels, without the border."""
    return Image.new("RGB", (width + 2 * MARGIN, height + 2 * MARGIN), "white")


def place(sheet: Image.Image, image: np.ndarray, *, left: int, top: int) -> None:
    """Put an image (h, w, 3) uint8 pixel for pixel."""
    sheet.paste(Image.fromarray(image), (MARGIN + left, MARGIN + top))


def write(
    sheet: Image.Image, text: str, *, centre: float, top: float, size: int = TEXT_SIZE, bold: bool = False, anchor: str = "mm"
) -> None:
    """Put text around a point; `anchor` is Pillow's."""
    where, stroke = (MARGIN + centre, MARGIN + top), BOLD_STROKE if bold else 0
    ImageDraw.Draw(sheet).text(where, text, fill="black", font=ImageFont.load_default(size), anchor=anchor, stroke_width=stroke)


def text_width(text: str, size: int = TEXT_SIZE) -> float:
    """Return how many pixels a text takes."""
    return ImageFont.load_default(size).getlength(text)


def save_sheet(sheet: Image.Image, path: Path) -> Path:
    """Write a sheet to a PNG file, whole or not at all, and return its path."""
    with whole_file(path) as partial:
        sheet.save(partial, format="PNG")
    return path


def coloured(mask: np.ndarray) -> np.ndarray:
    """Return a mask (H, W), True = hidden, as an image (H, W, 3) uint8."""
    return np.where(mask[..., None], np.array(HIDDEN_COLOUR, np.uint8), np.array(VISIBLE_COLOUR, np.uint8))


def enlarged(image: np.ndarray, scale: int) -> np.ndarray:
    """Return an array (H, W, ...) with every element as a square of `scale` x `scale`."""
    return np.asarray(image).repeat(scale, 0).repeat(scale, 1)


def outlined(image: np.ndarray, region: np.ndarray, *, colour: tuple[int, int, int] = HOLE_LINE, width: int = 1) -> np.ndarray:
    """Return an image (H, W, 3) uint8 with a line of so many pixels along the inside of the edge of a region (H, W) bool."""
    inner = region
    for _ in range(width):
        padded = np.pad(inner, 1)
        inner = inner & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.where((region & ~inner)[..., None], np.array(colour, np.uint8), image)
