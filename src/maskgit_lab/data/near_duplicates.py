"""Images that are nearly equal, within and across splits: a test image whose near copy was trained on tests memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.data.image_set import slices, unit_range

THUMBNAIL = 8  # pixels per side; small enough to forgive compression and resizing, large enough to tell two cats apart
CHUNK = 1024  # rows of the distance matrix at once


@dataclass(frozen=True)
class Pair:
    """Two images that are near but not equal."""

    split_a: str
    index_a: int
    split_b: str
    index_b: int
    distance: float


def thumbnails(images: np.ndarray, *, batch_size: int = 1024) -> Tensor:
    """Return descriptors (n, d) of images uint8 (n, H, W, 3) whose distance is the RMS difference of thumbnails, 0..255."""
    small = torch.cat([F.adaptive_avg_pool2d(unit_range(images[part]), THUMBNAIL) for part in slices(len(images), batch_size)])
    return 255 * small.flatten(1) / small[0].numel() ** 0.5


def near_pairs(
    descriptors: Mapping[str, Tensor], keys: Mapping[str, Sequence[bytes]], *, num_pairs: int, below: float
) -> tuple[list[Pair], dict[tuple[str, str], int]]:
    """Return the nearest pairs that are not equal, and how many images have such a neighbour, per pair of splits.

    Args:
        descriptors: split -> (n, d); their Euclidean distance is what counts.
        keys: split -> a key per image, equal for equal pixels.
        num_pairs: how many pairs to return over all splits, nearest first.
        below: images with a neighbour nearer than this are counted.

    Returns:
        Pairs with each image of the first split at most once, and counts of images of the first split by (first, second).
    """
    names = list(descriptors)
    pairs: list[Pair] = []
    counts: dict[tuple[str, str], int] = {}
    for i, first in enumerate(names):
        for second in names[: i + 1]:  # later splits are looked up in earlier ones: test in val in train
            nearest, where = _nearest(descriptors[first], descriptors[second], keys[first], keys[second])
            counts[first, second] = int((nearest < below).sum())
            order = nearest.argsort()[: 2 * num_pairs].tolist()
            found = [Pair(first, a, second, int(where[a]), float(nearest[a])) for a in order]
            pairs += _once(found) if first == second else found
    pairs = [pair for pair in pairs if np.isfinite(pair.distance)]
    return sorted(pairs, key=lambda pair: pair.distance)[:num_pairs], counts


def _nearest(a: Tensor, b: Tensor, keys_a: Sequence[bytes], keys_b: Sequence[bytes]) -> tuple[Tensor, Tensor]:
    """Return distance (n,) and index (n,) of the nearest row of b that has another key; infinite where there is none."""
    ids = {key: number for number, key in enumerate(dict.fromkeys([*keys_a, *keys_b]))}
    id_a, id_b = (torch.tensor([ids[key] for key in keys]) for keys in (keys_a, keys_b))
    parts = [torch.cdist(a[part], b).masked_fill_(id_a[part, None] == id_b, torch.inf).min(1) for part in slices(len(a), CHUNK)]
    return torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])


def _once(pairs: Sequence[Pair]) -> list[Pair]:
    """Keep one of (a, b) and (b, a)."""
    kept: dict[frozenset[int], Pair] = {}
    for pair in pairs:
        kept.setdefault(frozenset((pair.index_a, pair.index_b)), pair)
    return list(kept.values())
