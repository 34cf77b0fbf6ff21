"""Fills without a model: exact outside the hole, harmonic inside."""

import numpy as np
import pytest

from maskgit_lab.data.image_set import paint_holes
from maskgit_lab.evaluation.baselines import diffusion_fill


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def centre_hole(n: int) -> np.ndarray:
    holes = np.zeros((n, 32, 32), dtype=bool)
    holes[:, 10:22, 8:20] = True
    return holes


@pytest.mark.parametrize("fill", [paint_holes, diffusion_fill])
def test_paint_holes_and_diffusion_fill_keep_known_pixels(fill, pictures):
    holes = centre_hole(3)
    assert (fill(pictures, holes)[~holes] == pictures[~holes]).all()


def test_paint_holes_leaves_grey_in_the_hole(pictures):
    holes = centre_hole(3)
    assert (paint_holes(pictures, holes)[holes] == 128).all()


def test_diffusion_fill_restores_a_linear_ramp_to_one_grey_level():
    ramp = np.broadcast_to((4 * np.arange(32) + 3 * np.arange(32)[:, None])[None, :, :, None], (1, 32, 32, 3)).astype(np.uint8)
    holes = centre_hole(1)
    filled = diffusion_fill(paint_holes(ramp, holes), holes)
    assert np.abs(filled.astype(int) - ramp).max() <= 1


def test_diffusion_fill_ignores_pixels_under_the_hole(pictures):
    holes = centre_hole(3)
    assert (diffusion_fill(pictures, holes) == diffusion_fill(paint_holes(pictures, holes), holes)).all()


def test_diffusion_fill_of_an_image_that_is_all_hole_is_grey(pictures):
    assert (diffusion_fill(pictures, np.ones((3, 32, 32), dtype=bool)) == 128).all()


def test_diffusion_fill_keeps_an_image_without_hole(pictures):
    assert (diffusion_fill(pictures, np.zeros((3, 32, 32), dtype=bool)) == pictures).all()


def test_diffusion_fill_does_not_depend_on_the_batch_size(pictures):
    holes = centre_hole(3)
    assert (diffusion_fill(pictures, holes, batch_size=1) == diffusion_fill(pictures, holes, batch_size=3)).all()


def test_diffusion_fill_takes_odd_sizes():
    pictures = np.full((1, 9, 7, 3), 50, dtype=np.uint8)
    holes = np.zeros((1, 9, 7), dtype=bool)
    holes[:, 2:, 3:] = True
    assert (diffusion_fill(paint_holes(pictures, holes), holes) == 50).all()
