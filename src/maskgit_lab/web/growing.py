"""Grow an image's canvas: its margin is what is to be filled (outpainting)."""

from typing import Any

from PIL import Image, ImageOps

from maskgit_lab.core.pixels import HOLE_GREY
from maskgit_lab.core.ranges import require_number
from maskgit_lab.data.image_pixels import is_wide_grey
from maskgit_lab.web.answers import RefusedError, require_object
from maskgit_lab.web.image_store import KeptImage

SIDES = ("left", "top", "right", "bottom")


def grown(kept: KeptImage, content: Any, *, max_pixels: int) -> KeptImage:
    """Return an image on a larger canvas; its own pixels stay as they are.

    Args:
        kept: the image.
        content: JSON as a page sent it: pixels on each of `SIDES`, 0 where one is left out.
        max_pixels: of the larger image.

    Returns:
        The larger image, grey in the margin, or transparent where it can be.

    Raises:
        RefusedError: a number that is none, no pixels at all, or too many.
    """
    asked = require_object(content, known=set(SIDES))
    for side in SIDES:
        try:
            require_number(side, asked.get(side, 0), least=0, whole=True, unit="pixels")
        except ValueError as error:
            raise RefusedError(f"{error}.") from error
    left, top, right, bottom = (asked.get(side, 0) for side in SIDES)
    if not left + top + right + bottom:
        raise RefusedError("Nothing would grow: give at least one side some pixels.")
    width, height = kept.image.width + left + right, kept.image.height + top + bottom
    if width * height > max_pixels:
        raise RefusedError(f"The image would have {width} x {height} pixels, more than max_pixels={max_pixels}: a smaller margin.")
    image = ImageOps.expand(kept.image, (left, top, right, bottom), _margin_colour(kept.image))
    image.info = dict(kept.image.info)
    return KeptImage(image, kept.name)


def _margin_colour(image: Image.Image) -> int | tuple[int, ...]:
    if is_wide_grey(image):
        return HOLE_GREY * 257  # of 16 bits
    values = tuple(0 if band == "A" else HOLE_GREY for band in image.getbands())
    return values if len(values) > 1 else values[0]
