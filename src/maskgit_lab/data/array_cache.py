"""One array per file, computed once by one process: written whole or not at all, checked and memory-mapped when read."""

import errno
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from maskgit_lab.data.only_one import only_one
from maskgit_lab.machine.checksum import NUM_BYTES, append_checksum, holds
from maskgit_lab.machine.whole_file import whole_file

log = logging.getLogger("maskgit_lab")

HEADER = 128  # bytes before the values, for the message of a full disk


def cached_array(path: Path, *, shape: tuple[int, ...], dtype: np.dtype, fill: Callable[[np.ndarray], None]) -> np.ndarray:
    """Return the array of a file, computing it first when the file is missing or not what it should be.

    Of several processes that need it, one computes and the others wait.

    Args:
        path: an .npy file; its name must hold a hash of everything the values depend on.
        shape: what the array must have; a file with another one is computed again.
        dtype: likewise.
        fill: writes the values into the array it is given.

    Returns:
        A read-only memory map.
    """
    try:
        return _open(path, shape, dtype)
    except _UnusableError:
        pass
    with only_one(path):
        try:
            return _open(path, shape, dtype)
        except _UnusableError as error:
            if path.is_file():
                log.warning(f"Cache: {path} {error}; it is made again")
        _make(path, shape, dtype, fill)
    return _open(path, shape, dtype)


class _UnusableError(Exception):
    """A file is not the array; the message says why."""


def _make(path: Path, shape: tuple[int, ...], dtype: np.dtype, fill: Callable[[np.ndarray], None]) -> None:
    needed = int(np.prod(shape)) * dtype.itemsize + HEADER + NUM_BYTES
    with whole_file(path, needed=needed) as partial:
        array = np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=shape)
        _reserve(partial)
        fill(array)
        array.flush()
        del array
        append_checksum(partial)


def _reserve(path: Path) -> None:
    """Take the space of a file now: writing to memory that finds the disk full kills the process without a word."""
    if sys.platform != "linux":  # macOS and Windows have no such call
        return
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system without it
                raise


def _open(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    try:
        with path.open("rb") as file:
            fits = holds(file)
        if fits is None:
            raise _UnusableError("has no checksum: cut off, or of an earlier version")
        if not fits:
            raise _UnusableError("is damaged: its content does not fit its checksum")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:  # not there, or not an .npy file
        raise _UnusableError(f"cannot be read ({error})") from error
    if array.shape != shape or array.dtype != dtype:
        raise _UnusableError(f"holds {array.dtype} {array.shape}, expected {dtype} {shape}")
    return array
