"""Sets of images: what they refuse, and the parts in which they are worked through."""

import numpy as np
import pytest

from maskgit_lab.data.image_set import ImageSet, InpaintSet, slices
from tests.support.builders import boxes, inpaint_set, pictures


@pytest.mark.parametrize(("count", "size", "expected"), [(5, 2, [(0, 2), (2, 4), (4, 5)]), (4, 4, [(0, 4)]), (0, 3, [])])
def test_slices_cover_a_set_in_its_order(count: int, size: int, expected: list[tuple[int, int]]):
    assert [(part.start, part.stop) for part in slices(count, size)] == expected


def test_inpaint_set_of_a_truth_hides_it_under_the_holes():
    truth, holes = pictures(3), boxes(3)
    made = InpaintSet.of(truth, holes, ("a", "b", "c"), "made")
    assert (made.images[holes] == 128).all()
    np.testing.assert_array_equal(made.images[~holes], truth[~holes])
    assert made.truth is truth


def test_image_sets_refuse_missing_names_and_other_arrays():
    with pytest.raises(ValueError, match="an image set needs a name per image, got 1 for 2"):
        ImageSet(pictures(2), ("a",), "x")
    with pytest.raises(ValueError, match="an inpaint set needs a name per image, got 1 for 2"):
        InpaintSet.of(pictures(2), boxes(2), ("a",), "x")
    with pytest.raises(ValueError, match=r"images must be uint8 \(n, H, W, 3\), got float64"):
        ImageSet(pictures(1) / 255, ("a",), "x")
    test = inpaint_set(2)
    with pytest.raises(ValueError, match="holes must be bool"):
        InpaintSet(test.images, test.holes[:1], test.names, None, "x")
