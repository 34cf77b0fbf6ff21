"""One array per file, computed once by one process: written whole or not at all, and memory-mapped when read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from maskgit_lab.data.only_one import only_one
from maskgit_lab.machine.whole_file import whole_file


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
    if (found := _open(path, shape, dtype)) is None:
        with only_one(path):
            if (found := _open(path, shape, dtype)) is None:
                _make(path, shape, dtype, fill)
                found = _open(path, shape, dtype)
    assert found is not None
    return found


def _make(path: Path, shape: tuple[int, ...], dtype: np.dtype, fill: Callable[[np.ndarray], None]) -> None:
    with whole_file(path) as partial:
        array = np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=shape)
        fill(array)
        array.flush()
        del array


def _open(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
    if not path.is_file():
        return None
    try:
        array = np.load(path, mmap_mode="r")
    except (ValueError, OSError, EOFError):  # truncated or not an .npy file
        return None
    return array if array.shape == shape and array.dtype == dtype else None
