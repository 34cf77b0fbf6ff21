"""Images of Pillow, in every mode that it gives colours for."""

from typing import Any, Self

import numpy as np
from PIL import Image, ImageOps

from maskgit_lab.data.image_opening import BadImageError, turned_back
from maskgit_lab.data.image_pixels import flattened, has_transparency, is_wide_grey, wide_scale, with_alpha
from maskgit_lab.repair.photo import HALF, Box, Photo, Range, from_grey, luminance, to_grey, value_range

COLOURS_AT_ONCE = 4096  # whose distances to all entries of a palette are in memory


class PillowPhoto(Photo):
    """An image of Pillow.

    Args:
        image: in any mode but LAB.
        upright: results lie as viewers show the image, and not as it is stored, with its EXIF orientation.

    Raises:
        BadImageError: when the mode is LAB.
    """

    def __init__(self, image: Image.Image, *, upright: bool = False) -> None:
        image.load()
        if image.mode == "LAB":
            raise BadImageError("CIELAB colours; convert the image to RGB")
        self.range: Range | None = wide_scale(image) if is_wide_grey(image) else None
        self.stored = None if upright else image  # how results lie
        self.shown = ImageOps.exif_transpose(image)
        self.width, self.height = self.shown.size

    def look(self, hole: np.ndarray) -> None:
        """Find the range of 32-bit numbers; the other modes have theirs."""
        if self.shown.mode in ("I", "F") and self.range is None:
            self.range = value_range(np.asarray(self.shown)[~hole])

    def rgb(self, box: Box) -> np.ndarray:
        """Return a part as RGB."""
        part = self.shown.crop(box)
        if self.range is None:
            return np.array(flattened(part))
        return np.repeat(to_grey(np.asarray(part), self.range)[..., None], 3, -1)

    def transparent(self) -> np.ndarray | None:
        """Return which pixels (H, W) are more transparent than not, by alpha, palette or a colour that means it."""
        if self.range is not None or not has_transparency(self.shown):
            return None
        return np.asarray(with_alpha(self.shown).getchannel("A")) < HALF

    def replaced(self, colours: np.ndarray, where: np.ndarray, box: Box) -> Image.Image:
        """Return a copy with pixels of a part replaced."""
        result = self.shown.copy()
        if where.any():
            values = np.array(self.shown.crop(box))
            values[where] = self._values(colours[where], values.dtype)
            result.paste(_as_mode(values, self.shown.mode), box[:2])
        if self.stored is not None:
            result = turned_back(result, stored=self.stored)
        return result

    def grown(self, left: int, top: int, right: int, bottom: int) -> Self:
        """Return the image on a larger canvas."""
        canvas = Image.new(self.shown.mode, (self.width + left + right, self.height + top + bottom))
        if self.shown.palette is not None and self.shown.mode in ("P", "PA"):
            canvas.putpalette(self.shown.getpalette("RGBA") or [], "RGBA")
        canvas.paste(self.shown, (left, top))
        canvas.info = dict(self.shown.info)
        photo = type(self)(canvas, upright=True)
        photo.range, photo.stored = self.range, self.stored
        return photo

    def _values(self, colours: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Return colours (n, 3) uint8 as pixels of the mode, (n,) or (n, channels)."""
        mode = self.shown.mode
        if self.range is not None:
            return from_grey(luminance(colours), self.range, dtype)
        if mode == "1":
            return luminance(colours) >= HALF
        if mode in ("P", "PA"):
            entry = _nearest(colours, *_palette(self.shown))
            return entry if mode == "P" else np.stack([entry, np.full_like(entry, 255)], -1)
        row = Image.fromarray(colours[None])
        through = {"RGBa": "RGBA", "La": "LA"}.get(mode)
        values = np.array((row.convert(through) if through else row).convert(mode))[0]
        key = self.shown.info.get("transparency")
        if mode in ("L", "RGB") and key is not None and not isinstance(key, bytes):
            values = _visible(values, np.array(key))
        return values


def _as_mode(values: np.ndarray, mode: str) -> Image.Image:
    if mode == "1":
        return Image.fromarray(values)
    return Image.frombytes(mode, (values.shape[1], values.shape[0]), values.tobytes())


def _visible(values: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Return values of L or RGB of which none is the one that counts as transparent: it is moved by one."""
    same = values == key if values.ndim == 1 else (values == key).all(-1)
    last: Any = values if values.ndim == 1 else values[:, 2]
    last[same] ^= 1
    return values


def _palette(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the colours (n, 3) of the entries of a palette that are not transparent, and their numbers (n,)."""
    entries = np.array(image.getpalette("RGBA") or [0, 0, 0, 255]).reshape(-1, 4)
    told = image.info.get("transparency")
    if isinstance(told, int):
        entries[told : told + 1, 3] = 0
    elif isinstance(told, bytes):
        alpha = np.frombuffer(told, np.uint8)[: len(entries)]
        entries[: len(alpha), 3] = alpha
    numbers = np.nonzero(entries[:, 3] >= HALF)[0]
    if len(numbers) == 0:
        numbers = np.arange(len(entries))
    return entries[numbers, :3], numbers.astype(np.uint8)


def _nearest(colours: np.ndarray, palette: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the number (n,) of the entry of a palette (m, 3) that is nearest to each of the colours (n, 3)."""
    different, which = np.unique(colours.astype(np.int64) @ (65536, 256, 1), return_inverse=True)
    wanted = np.stack([different >> 16, different >> 8 & 255, different & 255], -1)
    nearest = np.empty(len(wanted), np.uint8)
    for start in range(0, len(wanted), COLOURS_AT_ONCE):
        part = slice(start, start + COLOURS_AT_ONCE)
        distance = ((wanted[part, None] - palette[None]) ** 2).sum(-1)
        nearest[part] = numbers[distance.argmin(1)]
    return nearest[which]
