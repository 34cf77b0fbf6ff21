"""What kind of image a file holds, by its first bytes: names lie, and many files have none."""

import functools
from pathlib import Path

from PIL import Image

# what is read, by Pillow's names. Others of its formats start programs (EPS), need a screen size (WMF) or have no signature (TGA)
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000", "QOI", "DIB")
HEAD = 32  # bytes

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"BM", "BMP"), (b"qoif", "QOI"),
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  ", "JPEG2000"), (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\xff\x0a", "JPEG XL"), (b"8BPS", "Photoshop"),
)  # fmt: skip
_BRANDS = ((b"avif", "AVIF"), (b"avis", "AVIF"), (b"heic", "HEIC"), (b"heix", "HEIC"), (b"hevc", "HEIC"), (b"mif1", "HEIC"))


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Return those of `FORMATS` that the installed Pillow reads."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def kind_of(path: Path) -> str | None:
    """Return the kind of a regular file: a name of `FORMATS`, a kind that is not read (HEIC, JPEG XL, Photoshop), or None.

    Raise OSError when the file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return next((kind for brand, kind in _BRANDS if brand in head[8:]), None)
    if len(head) > 2 and head[:1] == b"P" and head[1:2] in b"1234567fF" and head[2:3].isspace():
        return "PPM"
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), None)


def unread_kind(path: Path) -> str | None:
    """Return the kind of an image that cannot be read here, None for everything else."""
    try:
        kind = kind_of(path)
    except OSError:
        return None
    return kind if kind is not None and kind not in readable_formats() else None
