"""Write an image back as it came: in its format where that loses nothing and can hold it, else in one that does.

With its colour profile, resolution and EXIF notes; pixels lie as they are stored, so that the EXIF orientation goes on to hold.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from maskgit_lab.data.image_opening import ORIENTATION, BadImageError
from maskgit_lab.data.image_pixels import BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO, is_wide_grey
from maskgit_lab.machine.whole_file import whole_file

# format -> its suffixes, the usual one first, and the modes that it gives back as they were
HOLDS: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {
    "PNG": ((".png", ".apng"), frozenset(("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16", "I;16B"))),
    "TIFF": ((".tif", ".tiff"), frozenset(("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I;16B", "I", "F"))),
    "WEBP": ((".webp",), frozenset(("RGB", "RGBA"))),
    "BMP": ((".bmp", ".dib"), frozenset(("1", "L", "P", "RGB"))),
}
LOSSLESS_TIFF = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "group3", "group4")
# lossless WebP: `quality` and `method` are effort; more of it takes many times as long for a few per cent
WEBP: dict[str, Any] = {"lossless": True, "exact": True, "quality": 30, "method": 2}
LARGEST_WEBP = 16_383  # pixels per side
LARGE, LARGE_LEVEL = 4_000_000, 3  # of more pixels PNG takes seconds at its usual level


@dataclass(frozen=True)
class FileKind:
    """How a result is stored."""

    format: str  # Pillow's name, a key of HOLDS
    suffix: str


def kind_like(image: Image.Image, path: Path, *, size: tuple[int, int]) -> FileKind:
    """Return how a result of an opened image is stored: as the image, or where that loses or cannot hold it, as PNG or TIFF.

    `size`: width and height of the result. Raise BadImageError for grey images whose white no format here can say.
    """
    found = "BMP" if image.format == "DIB" else str(image.format)
    if found not in HOLDS or image.mode not in HOLDS[found][1] or (found == "WEBP" and max(size) > LARGEST_WEBP):
        found = "PNG" if image.mode in HOLDS["PNG"][1] else "TIFF"
    tags: Any = getattr(image, "tag_v2", {})
    if is_wide_grey(image) and (tags.get(PHOTOMETRIC) == WHITE_IS_ZERO or _bits(tags) not in (None, 16)):
        raise BadImageError("grey TIFF of other than 16 bits, or with white as 0, cannot be written back; save it with 16 bits")
    suffixes = HOLDS[found][0]
    return FileKind(found, path.suffix if path.suffix.lower() in suffixes else suffixes[0])


def is_cut_to_eight_bits(image: Image.Image) -> bool:
    """Return whether an image that was opened and not yet decoded has colours of 16 bits, of which Pillow gives eight."""
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    tags: Any = getattr(image, "tag_v2", None)
    return _bits(tags) == 16 if tags is not None else any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _bits(tags: Any) -> int | None:
    found = tags.get(BITS_PER_SAMPLE)
    return max(found) if isinstance(found, tuple) else found


def save_like(image: Image.Image, path: Path, kind: FileKind, *, stored: Image.Image) -> None:
    """Write an image, whole or not at all.

    Args:
        image: of a mode that the kind holds.
        path: where to.
        kind: how, from `kind_like`.
        stored: the image that it was made of, whose profile, resolution and notes go into the file.
    """
    notes = {name: stored.info[name] for name in ("icc_profile", "dpi", "transparency") if stored.info.get(name) is not None}
    options: dict[str, Any] = {}
    orientation = stored.getexif().get(ORIENTATION)
    if kind.format == "TIFF":
        compression = stored.info.get("compression")
        options["compression"] = compression if compression in LOSSLESS_TIFF else "tiff_adobe_deflate"
        if orientation is not None:
            options["tiffinfo"] = {ORIENTATION: orientation}
    elif kind.format in ("PNG", "WEBP"):
        exif = stored.info.get("exif")
        if exif is None and orientation is not None:
            exif = Image.Exif()
            exif[ORIENTATION] = orientation
        options |= {"exif": exif} if exif is not None else {}
        if kind.format == "WEBP":
            options |= WEBP
        elif image.width * image.height > LARGE:
            options["compress_level"] = LARGE_LEVEL
    with whole_file(path) as partial:
        image.save(partial, format=kind.format, **notes, **options)
