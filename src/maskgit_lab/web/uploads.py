"""What comes from a page as a file: an image to fill, a mask, or the hole that was painted."""

import base64
import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from maskgit_lab.data.image_opening import BadImageError, ReadOptions, opened, upright
from maskgit_lab.data.image_pixels import has_transparency, is_wide_grey, rgb_pixels, wide_grey
from maskgit_lab.data.mask_pixels import hole_pixels
from maskgit_lab.web.answers import RefusedError
from maskgit_lab.web.image_store import KeptImage

MAX_VIEW = 2048  # pixels: longer images are shown, and painted on, scaled to this side
MAX_LOSSLESS_VIEW = 1_500_000  # pixels: larger ones are shown as JPEG; what is downloaded never is
VIEW_QUALITY = 92  # of JPEG
PLAIN_MODES = ("L", "LA", "RGB", "RGBA")  # of Pillow, that PNG holds as they are
PNG_EFFORT = 3  # of 9: half the time of the usual 6 for a twentieth more bytes
OPAQUE = 128  # alpha from which a pixel counts as there


def read_image(content: bytes, name: str, *, max_pixels: int) -> KeptImage:
    """Decode an image file of any kind; raise RefusedError with a sentence when it cannot be used."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "upload"
            path.write_bytes(content)
            with opened(path, ReadOptions(max_pixels=max_pixels, keys="")) as stored:
                image = _paintable(stored)
                # upright by now: what else the file says of itself, its orientation first, would be applied again
                image.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
                return KeptImage(image, Path(name).stem[:80] or "image")
    except BadImageError as error:
        raise RefusedError(f"{_shown(name)} cannot be opened: {error}.") from error


def read_mask(content: bytes, name: str, *, size: tuple[int, int], max_pixels: int) -> np.ndarray:
    """Decode a mask file, white (or what is painted) = hole.

    Args:
        content: of the file.
        name: of the file, for messages.
        size: width and height of the hole that is wanted; the mask must have its proportions.
        max_pixels: of the file.

    Returns:
        (height, width) bool, True = hole; one pixel of hole in the file makes one here.

    Raises:
        RefusedError: when no rule says which pixels are the hole, or the proportions differ.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "upload"
            path.write_bytes(content)
            with opened(path, ReadOptions(max_pixels=max_pixels, keys="")) as image:
                hole, _ = hole_pixels(image, hole="white")
    except BadImageError as error:
        raise RefusedError(f"{_shown(name)} is no mask: {error}.") from error
    height, width = hole.shape
    if abs(width / height - size[0] / size[1]) > 0.02 * size[0] / size[1]:
        raise RefusedError(f"{_shown(name)} has {width} x {height} pixels, other proportions than the image.")
    return scaled_hole(hole, size)


def scaled_hole(hole: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a hole (H, W) bool in another size (width, height): a pixel is hole where any of the pixels below it is."""
    if hole.shape == (size[1], size[0]):
        return hole
    layer = Image.fromarray(hole.astype(np.uint8) * 255)
    return np.asarray(layer.resize(size, Image.Resampling.BOX)) > 0


def painted_hole(text: object, *, size: tuple[int, int]) -> np.ndarray:
    """Read the hole that a page painted.

    Args:
        text: a PNG in base64, opaque = hole.
        size: width and height that it must have.

    Returns:
        (height, width) bool, True = hole.

    Raises:
        RefusedError: when it is none, of another size, or nothing is painted.
    """
    try:
        content = base64.b64decode(text if isinstance(text, str) else b"?", validate=True)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            found = image.size
            alpha = np.asarray(image.convert("RGBA").getchannel("A")) if found == size else None
    except Exception as error:  # damaged files raise anything
        raise RefusedError("The painted hole is no PNG.") from error
    if alpha is None:
        raise RefusedError(f"The painted hole has {found[0]} x {found[1]} pixels, the image {size[0]} x {size[1]}.")
    hole = alpha >= OPAQUE
    if not hole.any():
        raise RefusedError("Nothing is painted: paint what is to be filled.")
    return hole


def view_size(image: Image.Image) -> tuple[int, int]:
    """Return the width and height in which an image is shown and painted on."""
    scale = min(1.0, MAX_VIEW / max(image.size))
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def view(image: Image.Image) -> tuple[bytes, str]:
    """Return an image file for a browser's screen, and its content type."""
    shown = image if has_transparency(image) else rgb_pixels(image)
    size = view_size(image)
    if shown.size != size:
        shown = shown.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    if has_transparency(image) or size[0] * size[1] <= MAX_LOSSLESS_VIEW:
        return png(shown), "image/png"
    file = io.BytesIO()
    shown.save(file, "JPEG", quality=VIEW_QUALITY)
    return file.getvalue(), "image/jpeg"


def png(image: Image.Image, *, profile: bytes | None = None) -> bytes:
    """Return an image as PNG, which loses nothing; without a colour profile, as everything that is shown next to each other."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=PNG_EFFORT, icc_profile=profile)
    return file.getvalue()


def hole_png(hole: np.ndarray) -> bytes:
    """Return a hole (H, W) bool as a PNG that is opaque where the hole is."""
    layer = np.zeros((*hole.shape, 2), np.uint8)
    layer[..., 1] = hole * np.uint8(255)
    return png(Image.fromarray(layer, "LA"))


def transparent_hole(image: Image.Image) -> np.ndarray | None:
    """Return where an image is transparent, (H, W) bool; None when it is nowhere."""
    if not has_transparency(image):
        return None
    hole = np.asarray(image.getchannel("A")) < OPAQUE
    return hole if hole.any() else None


def _paintable(image: Image.Image) -> Image.Image:
    """Return an image as it will be given back: upright, palettes and print colours as RGB, 16 bits kept."""
    if is_wide_grey(image):
        return upright(Image.fromarray(wide_grey(image)[0]), stored=image)
    if has_transparency(image):
        return upright(image.convert("LA" if image.mode in ("LA", "La", "L") else "RGBA"), stored=image)
    if image.mode in PLAIN_MODES:
        image.load()
        return upright(image).copy()
    if image.mode == "1":
        return upright(image.convert("L"), stored=image)
    image = rgb_pixels(image)
    image.info.pop("icc_profile", None)  # of the colours that it was converted from
    return image


def _shown(name: str) -> str:
    """Return a file's name as a sentence may hold it."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in Path(name).name)
    return printable[:60] or "The file"
