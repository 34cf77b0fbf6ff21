"""Images and masks from files, to arrays; every problem is found before training starts and named with its file."""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.image_set import ImageSet

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
READER_VERSION = 1
MASK_THRESHOLD = 128
MIN_FOR_BAR = 500
SHOWN_PROBLEMS = 5


def list_images(folder: Path, *, key: str) -> list[Path]:
    """List the image files of a folder; a single file is a list of one.

    Args:
        folder: a folder, not searched deeper, or a single file.
        key: configuration key that named it, for messages.

    Returns:
        Paths in natural order: image_2 before image_10.

    Raises:
        FileNotFoundError: when there is no such folder or it holds no images.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise FileNotFoundError(f"{key}: no folder {folder}")
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()]
    if not files:
        raise FileNotFoundError(f"{key}: no images in {folder} (looked for {', '.join(sorted(SUFFIXES))})")
    return sorted(files, key=lambda p: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", p.name)])


def load_images(paths: Sequence[Path], *, resolution: int, exact: bool = False, cache: Path | None = None) -> np.ndarray:
    """Decode images, whatever their suffix says: shorter side to `resolution`, centre crop, RGB.

    Args:
        paths: files.
        resolution: pixels per side; images of that size stay as they are.
        exact: refuse images of another size instead of resizing them.
        cache: folder in which the decoded array is kept; None = in memory.

    Returns:
        (n, resolution, resolution, 3) uint8.

    Raises:
        ValueError: naming the files that cannot be read, or have another size where `exact`.
    """

    def read(out: np.ndarray) -> None:
        _read_into(out, paths, lambda path: _read_image(path, resolution, exact))

    shape, dtype = (len(paths), resolution, resolution, 3), np.dtype(np.uint8)
    if cache is None:
        images = np.empty(shape, dtype)
        read(images)
        return images
    return cached_array(cache / "images" / f"{files_fingerprint(paths, resolution)}.npy", shape=shape, dtype=dtype, fill=read)


def load_image_set(paths: Sequence[Path], *, resolution: int, exact: bool = False, cache: Path) -> ImageSet:
    """Return the images of `load_images` with their names and their fingerprint."""
    images = load_images(paths, resolution=resolution, exact=exact, cache=cache)
    return ImageSet(images, tuple(p.name for p in paths), files_fingerprint(paths, resolution))


def load_masks(paths: Sequence[Path], *, resolution: int, hole: str, exact: bool = False) -> np.ndarray:
    """Decode masks to booleans, True = hole.

    Args:
        paths: files, grey or coloured.
        resolution: pixels per side; other sizes are resized by nearest neighbour and cropped like the images.
        hole: which colour marks the hole, black or white.
        exact: refuse masks of another size.

    Returns:
        (n, resolution, resolution) bool.
    """
    if hole not in ("black", "white"):
        raise ValueError(f"mask_hole must be black or white, got {hole!r}")
    grey = np.empty((len(paths), resolution, resolution), dtype=np.uint8)
    _read_into(grey, paths, lambda path: _read_mask(path, resolution, exact))
    return grey < MASK_THRESHOLD if hole == "black" else grey >= MASK_THRESHOLD


def pair_masks(images: Sequence[Path], masks: Sequence[Path]) -> list[Path]:
    """Pair images with masks: by the same stem, else by the same number at the end (image_007 with mask_007).

    Args:
        images: image files.
        masks: mask files.

    Returns:
        A mask per image.

    Raises:
        ValueError: naming images without a mask.
    """
    by_stem = {p.stem: p for p in masks}
    by_number = {number: p for p in masks if (number := _number(p)) is not None}
    found = [by_stem.get(p.stem) or by_number.get(_number(p) or "") for p in images]
    missing = [p.name for p, mask in zip(images, found, strict=True) if mask is None]
    if missing:
        folder = masks[0].parent if masks else "an empty folder"
        raise ValueError(
            f"{len(missing)} images have no mask in {folder}: {_some(missing)}. Masks pair by the same name or the same number"
        )
    return [mask for mask in found if mask is not None]


def files_fingerprint(paths: Sequence[Path], *values: object) -> str:
    """Return a hash over names, sizes, times and further values: it changes when a file does."""
    digest = hashlib.sha256(f"{READER_VERSION}/{values}".encode())
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.resolve()}/{stat.st_size}/{stat.st_mtime_ns}".encode())
    return digest.hexdigest()


def _number(path: Path) -> str | None:
    match = re.search(r"(\d+)$", path.stem)
    return str(int(match.group(1))) if match else None


def _read_into(out: np.ndarray, paths: Sequence[Path], read: Callable[[Path], np.ndarray]) -> None:
    """Read all files in threads, then report all problems at once."""
    problems: list[str] = []

    def load(i: int) -> None:
        try:
            out[i] = read(paths[i])
        except (UnidentifiedImageError, OSError, SyntaxError):
            problems.append(f"{paths[i]} (not a readable image)")
        except ValueError as error:
            problems.append(f"{paths[i]} ({error})")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(load, range(len(paths)))
        list(tqdm(done, total=len(paths), desc="Reading images", unit="img", disable=len(paths) < MIN_FOR_BAR))
    if problems:
        raise ValueError(f"{len(problems)} of {len(paths)} files cannot be used: {_some(sorted(problems))}. Repair or remove them")


def _some(items: Sequence[str]) -> str:
    rest = len(items) - SHOWN_PROBLEMS
    return ", ".join(items[:SHOWN_PROBLEMS]) + (f" and {rest} more" if rest > 0 else "")


def _read_image(path: Path, resolution: int, exact: bool) -> np.ndarray:
    with Image.open(path) as opened:
        image = _rgb(ImageOps.exif_transpose(opened))
    return np.asarray(_fitted(image, resolution, exact, Image.Resampling.LANCZOS))


def _read_mask(path: Path, resolution: int, exact: bool) -> np.ndarray:
    with Image.open(path) as image:
        mask = image.convert("L")
    return np.asarray(_fitted(mask, resolution, exact, Image.Resampling.NEAREST))


def _rgb(image: Image.Image) -> Image.Image:
    """Return RGB: transparency over white, 16-bit grey scaled to 8."""
    if image.mode.startswith("I"):
        values = np.asarray(image, dtype=np.float64)
        image = Image.fromarray((values / max(255.0, values.max()) * 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(white, layer)
    return image.convert("RGB")


def _fitted(image: Image.Image, resolution: int, exact: bool, resampling: Image.Resampling) -> Image.Image:
    if image.size == (resolution, resolution):
        return image
    if exact:
        raise ValueError(f"{image.width}x{image.height} pixels, expected {resolution}x{resolution}")
    return ImageOps.fit(image, (resolution, resolution), method=resampling)
