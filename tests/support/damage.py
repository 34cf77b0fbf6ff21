"""Harm to files: flipped bits, cuts, a disk that is full, always the same for a seed."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def flips(data: bytes, count: int, *, seed: int = 0) -> Iterator[bytes]:
    """Yield copies with one bit flipped: at both ends, where formats have their marks, and at random places."""
    rng = np.random.default_rng(seed)
    ends = [*range(min(40, len(data))), *range(max(0, len(data) - 80), len(data))]
    for place in [*ends, *rng.integers(0, len(data), count)]:
        harmed = bytearray(data)
        harmed[place] ^= 1 << int(rng.integers(8))
        yield bytes(harmed)


def cuts(data: bytes, count: int, *, seed: int = 0) -> Iterator[bytes]:
    """Yield beginnings of different lengths, the empty one and those that lack little among them."""
    rng = np.random.default_rng(seed)
    lengths = {0, 1, *range(len(data) - 40, len(data)), *(int(length) for length in rng.integers(0, len(data), count))}
    for length in sorted(lengths):
        yield data[: max(0, length)]


class FullDisk:
    """Let every file that is opened for writing bytes take only so much."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, room: int) -> None:
        self.room = room
        opened = Path.open

        def open_on_full_disk(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            file = opened(path, mode, *arguments, **options)
            if "w" in mode:
                write = file.write
                wrapped = _Wrapped(file)
                wrapped.write = lambda data: write(self._taken(data))  # type: ignore[attr-defined]
                return wrapped
            return file

        monkeypatch.setattr(Path, "open", open_on_full_disk)

    def _taken(self, data: Any) -> Any:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return data


class _Wrapped:
    """A file whose methods can be replaced."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_Wrapped":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
