"""Exact duplicates by pixels: the same image in two splits makes a test a memory test."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


def pixel_keys(images: np.ndarray) -> list[bytes]:
    """Return a hash of each image's decoded pixels, uint8 (n, H, W, 3)."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images]


def found_in(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (n,) bool: which of `images` have the same pixels as some image of `others`."""
    known = set(pixel_keys(others))
    return np.array([key in known for key in pixel_keys(images)], dtype=bool)


def found_outside_holes(images: np.ndarray, masked: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Find which of `images` equal some masked image in all its known pixels.

    For test sets without truth. A masked image with nothing known matches nothing.

    Args:
        images: (n, H, W, 3) uint8.
        masked: (m, H, W, 3) uint8.
        holes: (m, H, W) bool.

    Returns:
        (n,) bool.
    """
    found = np.zeros(len(images), dtype=bool)
    for image, hole in zip(masked, holes, strict=True):
        rows, columns = np.nonzero(~hole)
        if len(rows):
            # a few pixels rule out nearly all images before all pixels are compared
            probe = np.linspace(0, len(rows) - 1, 16).astype(int)
            candidates = np.nonzero((images[:, rows[probe], columns[probe]] == image[rows[probe], columns[probe]]).all((1, 2)))[0]
            for i in candidates:
                found[i] |= bool((images[i, rows, columns] == image[rows, columns]).all())
    return found


@dataclass(frozen=True)
class Exact:
    """Images of one split and where else they are, pixel for pixel."""

    num_pictures: int
    num_distinct: int
    found_in: dict[str, int]  # other split -> how many images of this one are there too
    found_elsewhere: int  # how many are in any other split


def exact_duplicates(splits: Mapping[str, np.ndarray]) -> dict[str, Exact]:
    """Return, per split, how many images uint8 (n, H, W, 3) are distinct and how many are in each other split."""
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
