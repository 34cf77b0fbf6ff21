"""Duplicates, against comparing every pair of images."""

import numpy as np
import pytest

from maskgit_lab.data.duplicates import exact_duplicates, pixel_keys
from maskgit_lab.data.near_duplicates import near_pairs, thumbnails
from tests.support.builders import pictures


@pytest.fixture
def splits() -> dict[str, np.ndarray]:
    """Train holds one image twice, val one of train, test two of train and one of val; one test image is a near copy."""
    train, val, test = pictures(9, seed=1), pictures(5, seed=2), pictures(7, seed=3)
    train[8] = train[0]
    val[4] = train[1]
    test[0], test[1], test[2] = train[2], train[3], val[0]
    test[3] = np.clip(train[4].astype(int) + 1, 0, 255)
    return {"train": train, "val": val, "test": test}


def test_exact_duplicates_counts_copies(splits: dict[str, np.ndarray]):
    found = exact_duplicates(splits)
    assert (found["train"].num_pictures, found["train"].num_distinct) == (9, 8)
    assert found["test"].found_in == {"train": 2, "val": 1}
    assert found["test"].found_elsewhere == 3
    assert found["val"].found_in == {"train": 1, "test": 1}


def test_thumbnails_are_as_far_apart_as_their_colours():
    images = pictures(2)
    a, b = thumbnails(images)
    small = images.reshape(2, 8, 4, 8, 4, 3).mean((2, 4))
    assert float((a - b).norm()) == pytest.approx(np.sqrt(((small[0] - small[1]) ** 2).mean()), rel=1e-5)


def test_near_pairs_begin_with_the_near_copy_and_leave_equal_images_out(splits: dict[str, np.ndarray]):
    pairs, counts = near_pairs(
        {name: thumbnails(images) for name, images in splits.items()},
        {name: pixel_keys(images) for name, images in splits.items()},
        num_pairs=6,
        below=3.0,
    )
    first = pairs[0]
    assert (first.split_a, first.index_a, first.split_b, first.index_b) == ("test", 3, "train", 4)
    assert first.distance == pytest.approx(1.0, abs=0.05)
    assert counts["test", "train"] == 1
    assert sum(counts.values()) == 1
    assert len(pairs) == 6
    assert all(not np.array_equal(splits[p.split_a][p.index_a], splits[p.split_b][p.index_b]) for p in pairs)


def test_near_pairs_equal_those_of_comparing_every_pair(splits: dict[str, np.ndarray]):
    descriptors = {name: thumbnails(images) for name, images in splits.items()}
    keys = {name: [bytes([i]) + name.encode() for i in range(len(images))] for name, images in splits.items()}
    pairs, _ = near_pairs(descriptors, keys, num_pairs=100, below=0.0)
    for pair in pairs:
        distances = (descriptors[pair.split_b] - descriptors[pair.split_a][pair.index_a]).norm(dim=1)
        if pair.split_a == pair.split_b:
            distances[pair.index_a] = np.inf
        assert pair.distance == pytest.approx(float(distances.min()), abs=1e-3)
