"""The pixels of an opened image as a viewer shows them: RGB, upright, whatever way they are stored."""

import numpy as np
from PIL import Image

from maskgit_lab.data.image_opening import BadImageError, upright

BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # of TIFF


def rgb_pixels(image: Image.Image) -> Image.Image:
    """Return an upright RGB image: transparency over white, more than 8 bits scaled by their number.

    Raise BadImageError for pixels that no rule turns into colours: 32-bit numbers, whose range no file states, and CIELAB.
    """
    return flattened(upright(_eight_bits(image) if is_wide_grey(image) else image, stored=image))


def flattened(image: Image.Image) -> Image.Image:
    """Return an RGB image of one of at most 8 bits, as it lies; transparency over white.

    Raise BadImageError for pixels that no rule turns into colours: 32-bit numbers and CIELAB.
    """
    if image.mode in ("I", "F"):
        raise BadImageError(f"32-bit {'floats' if image.mode == 'F' else 'integers'} of unknown range; save it with 8 or 16 bits")
    if image.mode == "LAB":
        raise BadImageError("CIELAB colours; save it as RGB")
    if has_transparency(image):
        layer = with_alpha(image)
        white = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(white, layer)
    return image if image.mode == "RGB" else image.convert("RGB")


def has_transparency(image: Image.Image) -> bool:
    """Return whether the image says which parts of it are transparent."""
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def with_alpha(image: Image.Image) -> Image.Image:
    """Return an image that has transparency as RGBA."""
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")  # Pillow has no direct way


def is_wide_grey(image: Image.Image) -> bool:
    """Return whether the image has grey values of more than 8 and at most 16 bits."""
    # some versions of Pillow read those of PNG and PPM as 32-bit numbers
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def wide_grey(image: Image.Image) -> tuple[np.ndarray, int]:
    """Return wide grey values, uint16 (H, W), 0 = black, and the value of white, which the file's bit depth gives."""
    black, white = wide_scale(image)
    values = np.asarray(image)
    if values.dtype != np.uint16:
        values = values.astype(np.uint16)
    if black > white:
        values = np.uint16(black) - values  # Pillow inverts 1 and 8 bits only
    return values, max(black, white)


def wide_scale(image: Image.Image) -> tuple[int, int]:
    """Return the values of black and of white in a wide grey image, as its file says."""
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return 0, 2**16 - 1
    full = 2 ** int(np.ravel(tags.get(BITS_PER_SAMPLE, 16))[0]) - 1
    return (full, 0) if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO else (0, full)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return wide grey in 8 bits; the one value that PNG may declare transparent becomes white, as all transparency."""
    values, white = wide_grey(image)
    table = np.minimum(np.arange(2**16) * (255 / white) + 0.5, 255).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        table[transparent] = 255
    return Image.fromarray(table[values])
