"""What a data set holds, as counts and hashes of pixels: the same wherever its files lie, and another one when an image is."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from maskgit_lab.data.image_set import DataSplits, slices

PART = 4096  # images hashed at once: the arrays are memory-mapped


def content_of(splits: DataSplits) -> dict[str, dict[str, Any]]:
    """Return count and sha256 of train, val and test, as a run records them; the holes of the test images count too."""
    parts = {"train": (splits.train.images,), "val": (splits.val.images,), "test": (splits.test.images, splits.test.holes)}
    return {name: {"count": len(arrays[0]), "sha256": _hash(*arrays)} for name, arrays in parts.items()}


def content_differences(recorded: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what differs between two answers of `content_of`, a line for each part of the data."""
    lines = []
    for name, before in recorded.items():
        after = now[name]
        if before["count"] != after["count"]:
            lines.append(f"{name} has {after['count']:,} images, recorded {before['count']:,}")
        elif before["sha256"] != after["sha256"]:
            what = "pixels or holes" if name == "test" else "pixels"
            lines.append(f"{name} has {after['count']:,} images as recorded, but other {what}")
    return lines


def _hash(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str(array.shape).encode())
        for part in slices(len(array), PART):
            digest.update(np.ascontiguousarray(array[part]).data)
    return digest.hexdigest()
