"""What a data set holds, as counts and hashes of pixels: the same wherever its files lie, and another one when an image is."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from maskgit_lab.data.image_set import DataSplits, slices

PART = 4096  # images hashed at once: the arrays are memory-mapped


def content_of(splits: DataSplits) -> dict[str, dict[str, Any]]:
    """Return count and sha256 of train, val and test, as a run records them, with the test's holes; and of own masks."""
    parts: dict[str, tuple[np.ndarray, ...]] = {
        "train": (splits.train.images,),
        "val": (splits.val.images,),
        "test": (splits.test.images, splits.test.holes),
    }
    if splits.train_holes is not None:
        parts["train_masks"] = (splits.train_holes,)
    return {name: {"count": len(arrays[0]), "sha256": _hash(*arrays)} for name, arrays in parts.items()}


def content_differences(recorded: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what differs between two answers of `content_of`, a line for each part of the data."""
    lines = []
    for name, before in recorded.items():
        after = now.get(name, {"count": 0, "sha256": None})
        if before["count"] != after["count"]:
            lines.append(f"{name} has {after['count']:,} {_kind(name)}, recorded {before['count']:,}")
        elif before["sha256"] != after["sha256"]:
            what = "pixels or holes" if name == "test" else "pixels"
            lines.append(f"{name} has {after['count']:,} {_kind(name)} as recorded, but other {what}")
    return lines


def _kind(name: str) -> str:
    return "masks" if name == "train_masks" else "images"


def _hash(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str(array.shape).encode())
        for part in slices(len(array), PART):
            digest.update(np.ascontiguousarray(array[part]).data)
    return digest.hexdigest()
