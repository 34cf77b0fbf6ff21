"""No hole pixel is lost on the way to the networks' resolution, and none colours its neighbours."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from maskgit_lab.data.shrinking import centre_square, cover, shrink_hole, shrink_image
from tests.support.builders import pictures


def slow_cover(hole: np.ndarray, resolution: int) -> np.ndarray:
    """Return what shrink_hole should, cell by cell."""
    height, width = hole.shape
    left, top, right, _ = centre_square(width, height)
    side = (right - left) / resolution
    out = np.zeros((resolution, resolution), bool)
    for y, x in np.argwhere(hole):
        rows = range(int(np.floor((y - top) / side + 1e-9)), int(np.ceil((y + 1 - top) / side - 1e-9)))
        columns = range(int(np.floor((x - left) / side + 1e-9)), int(np.ceil((x + 1 - left) / side - 1e-9)))
        for row in rows:
            for column in columns:
                if 0 <= row < resolution and 0 <= column < resolution:
                    out[row, column] = True
    return out


@pytest.mark.parametrize("size", [(100, 160), (160, 100), (33, 33), (64, 64), (32, 32), (16, 16), (20, 31), (97, 40), (5, 9)])
def test_shrink_hole_makes_every_touched_cell_a_hole(size: tuple[int, int]):
    generator = np.random.default_rng(0)
    for share in (0.002, 0.05, 0.5):
        hole = generator.random(size) < share
        np.testing.assert_array_equal(shrink_hole(hole, 32), slow_cover(hole, 32))


def test_shrink_hole_keeps_a_scratch_whole():
    hole = np.zeros((1000, 1600), bool)
    for x in range(300, 1300):
        hole[x - 300, x : x + 6] = True
    cells = shrink_hole(hole, 64)
    assert cells.any(1).all()  # no row of the picture without its piece
    assert np.array_equal(cells, slow_cover(hole, 64))


def test_cover_of_the_same_size_is_the_mask_itself():
    hole = np.random.default_rng(0).random((8, 8)) < 0.5
    assert cover(hole, size=(8, 8), box=(0, 0, 8, 8)) is hole


@pytest.mark.parametrize("size", [(64, 64), (40, 90), (91, 40), (32, 32), (20, 20)])
def test_shrink_image_is_the_centre_as_pillow_fits_it(size: tuple[int, int]):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
    expected = np.asarray(ImageOps.fit(image, (32, 32), method=Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(shrink_image(image, 32), expected)
    np.testing.assert_array_equal(shrink_image(image, 32, np.zeros(size, bool)), expected)


@pytest.mark.parametrize("length", [1.0, 0.1])
@pytest.mark.parametrize("mask_size", [(96, 144), (48, 72)])
def test_shrink_image_lets_no_scratch_run_into_known_pixels(mask_size: tuple[int, int], length: float):
    clean = np.full((96, 144, 3), 90, np.uint8)
    hole = np.zeros(mask_size, bool)
    hole[: int(mask_size[0] * length), mask_size[1] // 2 : mask_size[1] // 2 + 2] = True
    scratched = clean.copy()
    scratched[cover(hole, size=(144, 96), box=(0, 0, mask_size[1], mask_size[0]))] = 255
    known = ~shrink_hole(hole, 32)
    assert (shrink_image(Image.fromarray(scratched), 32)[known] != 90).any()
    np.testing.assert_array_equal(shrink_image(Image.fromarray(scratched), 32, hole)[known], 90)


def test_shrink_image_leaves_pixels_far_from_a_hole_as_they_were():
    image = Image.fromarray(pictures(1, resolution=128)[0])
    hole = np.zeros((128, 128), bool)
    hole[:16, :16] = True
    np.testing.assert_array_equal(shrink_image(image, 32, hole)[8:, 8:], shrink_image(image, 32)[8:, 8:])
