"""Open one image file: its size is known and bounded before anything is decoded, and what Pillow warns of stays here."""

import contextlib
import ctypes
import functools
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import PIL
from PIL import Image, UnidentifiedImageError

from maskgit_lab.data.image_kinds import readable_formats, unread_kind

MAX_PIXELS = 120_000_000  # above what cameras give; decoded, such an image takes about half a gigabyte
LARGE = 16_000_000  # pixels; of such images only one is in memory at once, however many threads read
MIN_SIDE = 2  # a line of pixels is no image
ORIENTATION = 0x0112  # EXIF tag
LIES = 5  # from this orientation on the image lies on its side


class BadImageError(ValueError):
    """Says in a few words why a file cannot be used; who reads it knows its name."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What may be read, and what happens to files that cannot be."""

    max_pixels: int = MAX_PIXELS  # images with more are refused by what their header says
    skip_bad: bool = False  # go on without files that cannot be used
    min_side: int = MIN_SIDE  # images with fewer pixels per side are refused
    keys: str | None = None  # what comes before these keys on the command line ("", "data."), for messages; None = not there

    def __post_init__(self) -> None:
        if not isinstance(self.max_pixels, int) or self.max_pixels < 1:
            raise ValueError(f"{self.keys or ''}max_pixels must be a whole number of at least 1, got {self.max_pixels}")

    def check_size(self, width: int, height: int) -> None:
        """Raise BadImageError unless an image of this size may be decoded."""
        if width * height > self.max_pixels:
            raise BadImageError(
                f"{width}x{height} pixels, more than {self.keys or ''}max_pixels={self.max_pixels}, which can be raised"
            )
        if min(width, height) < self.min_side:
            raise BadImageError(f"{width}x{height} pixels")


@contextmanager
def opened(path: Path, options: ReadOptions) -> Iterator[Image.Image]:
    """Open an image, whatever its suffix says; nothing is decoded yet.

    Args:
        path: a file.
        options: the bound on its size.

    Yields:
        The image as stored, for decoding inside the block: only there do Pillow's complaints become messages.

    Raises:
        BadImageError: when it is no image, too large, or damaged in a way that decoding finds.
    """
    try:
        _silence_libtiff()
        with _quiet_pillow, Image.open(path, formats=readable_formats()) as image:
            options.check_size(*image.size)
            with _one_large if image.width * image.height > LARGE else contextlib.nullcontext():
                yield image
    except BadImageError:
        raise
    except PermissionError as error:
        raise BadImageError("permission denied") from error
    except FileNotFoundError as error:
        raise BadImageError("no such file") from error
    except MemoryError as error:
        raise BadImageError("not enough memory to decode it") from error
    except UnidentifiedImageError as error:
        kind = unread_kind(path)
        raise BadImageError(f"{kind}, which Pillow does not read" if kind else "not a readable image") from error
    except ValueError as error:  # Pillow's own bounds, on texts and profiles inside a file
        raise BadImageError(f"not a readable image: {error}") from error
    except Exception as error:  # damaged files raise anything: struct.error, KeyError, ZeroDivisionError, zlib.error
        raise BadImageError("not a readable image") from error


def upright(image: Image.Image, *, stored: Image.Image | None = None) -> Image.Image:
    """Return an image as a viewer shows it; `stored`: the opened file, where `image` was made of it and lost its tags."""
    (stored or image).load()  # Pillow turns TIFF itself when it decodes it, and takes the tag away
    turn = _TURNS.get(_orientation(stored or image))
    return image if turn is None else image.transpose(turn)


def turned_back(image: Image.Image, *, stored: Image.Image) -> Image.Image:
    """Return an upright image as `stored` lies, with what that says of itself, its orientation among it."""
    turn = _TURNS.get(_orientation(stored))
    if turn is not None:
        # a quarter turn is undone by the other one, everything else by itself
        back = {Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90}
        image = image.transpose(back.get(turn, turn))
    image.info = dict(stored.info)
    return image


def shown_size(path: Path, options: ReadOptions) -> tuple[int, int]:
    """Return width and height as a viewer shows the image, without decoding it where the header tells."""
    with opened(path, options) as image:
        if image.format == "TIFF" and _orientation(image) >= LIES:
            image.load()  # turns it
        return (image.height, image.width) if _orientation(image) >= LIES else image.size


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ORIENTATION, 1)
    return value if value in _TURNS else 1


@functools.cache
def _silence_libtiff() -> None:
    """Keep off the screen what the libtiff in Pillow's wheel says of damaged files: it names a temporary file."""
    place = Path(PIL.__file__).parent
    for library in (*place.parent.glob("pillow.libs/libtiff*"), *place.glob(".dylibs/libtiff*")):
        with contextlib.suppress(OSError, AttributeError):  # another build: its words are seen, nothing else
            loaded = ctypes.CDLL(str(library))
            loaded.TIFFSetErrorHandler(None)
            loaded.TIFFSetWarningHandler(None)


class _QuietPillow:
    """Switch off Pillow's bound, for which there is ours, and its warnings, which name no file; both are global."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.restore = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.restore.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                self.restore.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
                Image.MAX_IMAGE_PIXELS = None

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.restore.close()  # only the last one out restores


_quiet_pillow = _QuietPillow()
_one_large = threading.Lock()
