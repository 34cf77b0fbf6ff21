"""What holes look like to a tokenizer."""

import numpy as np
import pytest

from maskgit_lab.data.hole_shapes import HoleShape, better_style, compared_shapes, nearest_style
from maskgit_lab.data.holes import draw_holes


def test_hole_shape_counts_touched_and_whole_cells():
    holes = np.zeros((2, 16, 16), dtype=bool)
    holes[0, :4, :8] = True  # two whole cells
    holes[1, 3:5, 0] = True  # touches two
    shape = HoleShape.of(holes, cell=4)
    assert (shape.num_holes, shape.cells, shape.whole) == (2, 2 / 16, 0.5)
    assert shape.pixels == pytest.approx((32 + 2) / 512)


def test_hole_shape_without_a_hole():
    shape = HoleShape.of(np.zeros((3, 8, 8), dtype=bool), cell=4)
    assert (shape.pixels, shape.cells, shape.whole) == (0, 0, 0)


@pytest.mark.parametrize("style", ["brush", "walk", "box"])
def test_nearest_style_is_the_one_that_the_holes_were_drawn_with(style: str):
    holes = draw_holes(style=style, seed=5, indices=range(100), resolution=64)
    shapes = compared_shapes(holes, None, style="half", share=(0.1, 0.3), cell=4)
    assert list(shapes) == ["test", "half", "brush", "walk", "box"]
    assert nearest_style(shapes) == style
    told = better_style(shapes)
    assert told is not None
    assert f"data.hole_style={style} (" in told
    assert better_style(compared_shapes(holes, None, style=style, share=(0.1, 0.3), cell=4)) is None


def test_own_masks_are_not_spoken_against():
    holes = draw_holes(style="walk", seed=5, indices=range(20), resolution=64)
    shapes = compared_shapes(holes, holes, style="brush", share=(0.1, 0.3), cell=4)
    assert list(shapes)[:2] == ["test", "data.train_masks"]
    assert shapes["data.train_masks"] == shapes["test"]
    assert better_style(shapes) is None


def test_holes_whose_sides_cells_do_not_divide_are_not_compared():
    assert compared_shapes(np.ones((2, 30, 30), dtype=bool), None, style="brush", share=(0.1, 0.3), cell=4) == {}
    assert compared_shapes(np.ones((0, 32, 32), dtype=bool), None, style="brush", share=(0.1, 0.3), cell=4) == {}
    assert better_style({}) is None


def test_nothing_is_said_of_images_without_holes_or_of_a_few():
    for holes in (np.zeros((20, 64, 64), dtype=bool), draw_holes(style="walk", seed=0, indices=range(9), resolution=64)):
        assert better_style(compared_shapes(holes, None, style="brush", share=(0.1, 0.3), cell=4)) is None
