"""The membrane: between known values, smooth, and without a seam."""

import numpy as np
import pytest

from maskgit_lab.repair.membrane import fitted, membrane


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (37, 1), (60, 45), (128, 128)])
def test_membrane_keeps_what_is_known_and_stays_between(shape: tuple[int, int]):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(*shape, 3)).astype(np.float32)
    known = rng.random(shape) < 0.3
    known[0, 0] = True
    result = membrane(np.where(known, values.transpose(2, 0, 1), np.float32(1e6)), known).transpose(1, 2, 0)
    np.testing.assert_array_equal(result[known], values[known])
    assert result.min() >= values[known].min() - 1e-5
    assert result.max() <= values[known].max() + 1e-5


def test_membrane_of_a_ramp_is_nearly_the_ramp():
    rows, columns = np.mgrid[:120, :160].astype(np.float32)
    ramp = np.stack([rows, columns, rows + columns], -1)
    known = np.ones((120, 160), bool)
    known[30:90, 40:120] = False
    result = membrane((ramp * known[..., None]).transpose(2, 0, 1), known).transpose(1, 2, 0)
    assert np.abs(result - ramp).max() < 12  # of 140 levels across the hole; not solved to the end


def test_fitted_moves_a_fill_of_another_tone_to_that_of_the_photo():
    texture = np.random.default_rng(0).integers(100, 140, (90, 90, 3), np.uint8)
    hole = np.zeros((90, 90), bool)
    hole[20:70, 25:65] = True
    photo = np.where(hole[..., None], np.uint8(0), texture)
    np.testing.assert_array_equal(fitted(texture - 30, photo, hole), texture)
    np.testing.assert_array_equal(fitted(texture, photo, np.ones((90, 90), bool)), texture)
