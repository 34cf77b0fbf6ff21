"""Cached arrays: computed once, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from maskgit_lab.data.array_cache import cached_array


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


@pytest.mark.parametrize("damage", ["truncated", "text", "shape"])
def test_cached_array_computes_anew_where_the_file_is_not_the_array(tmp_path: Path, damage: str):
    path = tmp_path / "a.npy"
    get(path, Counter(1))
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "text":
        path.write_text("nothing")
    fill = Counter(2)
    shape = (5, 3) if damage == "shape" else (4, 3)
    np.testing.assert_array_equal(get(path, fill, shape=shape), np.full(shape, 2))


def test_cached_array_leaves_no_file_when_interrupted(tmp_path: Path):
    def interrupted(out: np.ndarray) -> None:
        out[0] = 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_array(tmp_path / "a.npy", shape=(4,), dtype=np.dtype(np.uint16), fill=interrupted)
    assert visible(tmp_path) == []
