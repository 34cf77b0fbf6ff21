"""Exact duplicates by pixels: the same picture in two splits makes a test a memory test."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


def pixel_keys(images: np.ndarray) -> list[bytes]:
    """Return a hash of each picture's decoded pixels, uint8 (n, H, W, 3)."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images]


def found_in(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (n,) bool: which of `images` have the same pixels as some picture of `others`."""
    known = set(pixel_keys(others))
    return np.array([key in known for key in pixel_keys(images)], dtype=bool)


def found_outside_holes(images: np.ndarray, masked: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Return (n,) bool: which of `images` equal some masked picture in all its known pixels.

    For test sets without truth. Pictures of a hole that leaves nothing known match nothing.

    Args:
        images: (n, H, W, 3) uint8.
        masked: (m, H, W, 3) uint8.
        holes: (m, H, W) bool.
    """
    found = np.zeros(len(images), dtype=bool)
    for picture, hole in zip(masked, holes, strict=True):
        rows, columns = np.nonzero(~hole)
        if len(rows):
            # a few pixels rule out nearly all pictures before all pixels are compared
            probe = np.linspace(0, len(rows) - 1, 16).astype(int)
            candidates = np.nonzero(
                (images[:, rows[probe], columns[probe]] == picture[rows[probe], columns[probe]]).all((1, 2))
            )[0]
            for i in candidates:
                found[i] |= bool((images[i, rows, columns] == picture[rows, columns]).all())
    return found


@dataclass(frozen=True)
class Exact:
    """Pictures of one split and where else they stand, pixel for pixel."""

    num_pictures: int
    num_distinct: int
    found_in: dict[str, int]  # other split -> how many pictures of this one stand there too
    found_elsewhere: int  # how many stand in any other split


def exact_duplicates(splits: Mapping[str, np.ndarray]) -> dict[str, Exact]:
    """Return, per split, how many pictures uint8 (n, H, W, 3) are distinct and how many stand in each other split."""
    keys = {name: pixel_keys(images) for name, images in splits.items()}
    sets = {name: set(found) for name, found in keys.items()}
    return {
        name: Exact(
            num_pictures=len(found),
            num_distinct=len(sets[name]),
            found_in={other: sum(key in sets[other] for key in found) for other in splits if other != name},
            found_elsewhere=sum(any(key in sets[other] for other in splits if other != name) for key in found),
        )
        for name, found in keys.items()
    }
