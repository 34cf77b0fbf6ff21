"""Exact duplicates, against comparing every pair."""

import numpy as np

from maskgit_lab.data.duplicates import found_in, found_outside_holes
from maskgit_lab.data.image_set import paint_holes
from tests.support.builders import boxes, pictures


def test_found_in_finds_equal_pixels():
    images, others = pictures(6), pictures(5, seed=1)
    others[3] = images[4]
    np.testing.assert_array_equal(found_in(images, others), [False] * 4 + [True, False])


def test_found_in_takes_one_other_pixel_for_another_image():
    images = pictures(2)
    others = images.copy()
    others[:, 0, 0, 0] ^= 1
    assert not found_in(images, others).any()


def test_found_outside_holes_matches_masked_images_on_their_known_pixels():
    images, holes = pictures(6), boxes(2)
    masked = paint_holes(np.stack([images[1], pictures(1, seed=3)[0]]), holes)
    expected = [any((i[~h] == m[~h]).all() for m, h in zip(masked, holes, strict=True)) for i in images]
    assert expected == [False, True] + [False] * 4
    np.testing.assert_array_equal(found_outside_holes(images, masked, holes), expected)


def test_found_outside_holes_sees_a_difference_at_one_known_pixel():
    images, holes = pictures(1), boxes(1)
    masked = paint_holes(images, holes)
    row, column = np.argwhere(~holes[0])[77]
    masked[0, row, column, 2] ^= 1
    assert not found_outside_holes(images, masked, holes).any()


def test_found_outside_holes_matches_nothing_where_the_hole_leaves_nothing():
    images = pictures(2)
    assert not found_outside_holes(images, images, np.ones((2, 32, 32), bool)).any()
