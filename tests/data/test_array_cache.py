"""Cached arrays: computed once, whole or not at all."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.machine.checksum import append_checksum
from maskgit_lab.machine.whole_file import CannotWriteError
from tests.support.damage import flips


class Counter:
    """Fill with a number and count how often."""

    def __init__(self, value: int = 7) -> None:
        self.value, self.calls = value, 0

    def __call__(self, out: np.ndarray) -> None:
        self.calls += 1
        out[:] = self.value


def get(path: Path, fill: Counter, *, shape: tuple[int, ...] = (4, 3)) -> np.ndarray:
    return cached_array(path, shape=shape, dtype=np.dtype(np.uint16), fill=fill)


def visible(folder: Path) -> list[str]:
    """Return what is in a folder beside the locks, which stay."""
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def test_cached_array_reads_its_file_on_the_second_call(tmp_path: Path):
    fill = Counter()
    first, second = (get(tmp_path / "deep" / "a.npy", fill) for _ in range(2))
    assert fill.calls == 1
    assert isinstance(second, np.memmap)
    assert not second.flags.writeable
    np.testing.assert_array_equal(first, np.full((4, 3), 7))
    assert visible(tmp_path / "deep") == ["a.npy"]


@pytest.mark.parametrize("damage", ["truncated", "text", "shape", "empty", "earlier version"])
def test_cached_array_computes_anew_where_the_file_is_not_the_array(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "a.npy"
    get(path, Counter(1))
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "text":
        path.write_text("nothing")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "earlier version":
        np.save(path, np.full((4, 3), 1, np.uint16))
    fill = Counter(2)
    shape = (5, 3) if damage == "shape" else (4, 3)
    np.testing.assert_array_equal(get(path, fill, shape=shape), np.full(shape, 2))
    assert len([line for line in caplog.text.splitlines() if f"{path} " in line and "made again" in line]) == 1


def test_cached_array_computes_anew_whatever_bit_is_flipped(tmp_path: Path):
    path = tmp_path / "a.npy"
    right = np.array(get(path, Counter(1)))
    for harmed in list(flips(path.read_bytes(), 40))[::6]:
        path.write_bytes(harmed)
        fill = Counter(1)
        np.testing.assert_array_equal(get(path, fill), right)
        assert fill.calls == 1


def test_cached_array_takes_its_space_before_it_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    fill = Counter()
    with pytest.raises(CannotWriteError, match=r"a.npy: the disk is full \(8.0 MiB needed"):
        get(tmp_path / "a.npy", fill, shape=(2**22,))
    assert fill.calls == 0
    assert visible(tmp_path) == []


def test_cached_array_does_not_end_in_a_signal_on_a_full_disk(small_disk: Path):
    """A memory map that finds the disk full kills the process."""
    with pytest.raises(CannotWriteError, match=r"a.npy: the disk is full \(8.0 MiB needed beside the old file, \d.\d MiB free"):
        get(small_disk / "a.npy", Counter(), shape=(2**22,))
    assert visible(small_disk) == []


def test_cached_array_runs_no_pickles(tmp_path: Path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([Path("x")], dtype=object), allow_pickle=True)
    append_checksum(path)
    np.testing.assert_array_equal(get(path, Counter(2)), np.full((4, 3), 2))


def test_cached_array_leaves_no_file_when_interrupted(tmp_path: Path):
    def interrupted(out: np.ndarray) -> None:
        out[0] = 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_array(tmp_path / "a.npy", shape=(4,), dtype=np.dtype(np.uint16), fill=interrupted)
    assert visible(tmp_path) == []
