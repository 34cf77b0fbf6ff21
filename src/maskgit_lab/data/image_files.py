"""Images from files, to arrays; every problem is found before training starts and named with its file."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.file_reading import BadFilesError, check_exact, read_files
from maskgit_lab.data.image_opening import ReadOptions, opened
from maskgit_lab.data.image_pixels import rgb_pixels
from maskgit_lab.data.image_set import ImageSet
from maskgit_lab.data.shrinking import shrink_image

READER_VERSION = 2  # raise it when files give other pixels: what was decoded before is not taken from the cache then
DEFAULT = ReadOptions()


def load_images(
    paths: Sequence[Path], *, resolution: int, exact: bool = False, cache: Path | None = None, options: ReadOptions = DEFAULT
) -> np.ndarray:
    """Decode images, whatever their suffix says: shorter side to `resolution`, centre crop, RGB.

    Args:
        paths: files.
        resolution: pixels per side; images of that size stay as they are.
        exact: refuse images of another size instead of resizing them.
        cache: folder in which the decoded array is kept; None = in memory.
        options: the bound on their size; `skip_bad` has no effect here, the result has an image per path.

    Returns:
        (n, resolution, resolution, 3) uint8.

    Raises:
        BadFilesError: naming the files that cannot be read, or have another size where `exact`.
    """

    def read(out: np.ndarray) -> None:
        def one(i: int) -> None:
            with opened(paths[i], options) as stored:
                if exact:
                    check_exact(stored.size, resolution)
                out[i] = shrink_image(rgb_pixels(stored), resolution)

        read_files(paths, one, options=options)

    shape, dtype = (len(paths), resolution, resolution, 3), np.dtype(np.uint8)
    if cache is None:
        images = np.empty(shape, dtype)
        read(images)
        return images
    return cached_array(cache / "images" / f"{files_fingerprint(paths, resolution)}.npy", shape=shape, dtype=dtype, fill=read)


def load_image_set(
    paths: Sequence[Path], *, resolution: int, exact: bool = False, cache: Path, options: ReadOptions = DEFAULT
) -> ImageSet:
    """Return the images of `load_images` with their names and their fingerprint, with `skip_bad` those that can be used."""
    try:
        images = load_images(paths, resolution=resolution, exact=exact, cache=cache, options=options)
    except BadFilesError as error:
        if not options.skip_bad:
            raise
        paths = [paths[i] for i in error.rest()]
        images = load_images(paths, resolution=resolution, exact=exact, cache=cache, options=options)
    return ImageSet(images, tuple(p.name for p in paths), files_fingerprint(paths, resolution))


def files_fingerprint(paths: Sequence[Path], *values: object) -> str:
    """Return a hash over names, sizes, times and further values: it changes when a file does."""
    digest = hashlib.sha256(f"{READER_VERSION}/{values}".encode())
    for path in paths:
        stat = path.stat()
        digest.update(os.fsencode(path.resolve()) + f"/{stat.st_size}/{stat.st_mtime_ns}".encode())
    return digest.hexdigest()
