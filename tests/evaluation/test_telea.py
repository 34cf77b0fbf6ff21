"""Telea's fill: what OpenCV is given, what is taken from it, and what is said where it is not installed."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from maskgit_lab.evaluation.telea import telea_fill
from tests.support.builders import boxes, pictures


def test_telea_fill_takes_the_hole_only_and_gives_opencv_what_it_takes(monkeypatch: pytest.MonkeyPatch):
    seen = []

    def inpaint(image: np.ndarray, mask: np.ndarray, radius: float, method: int) -> np.ndarray:
        seen.append((image.copy(), mask.copy(), radius, method))
        return np.full_like(image, 7)

    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(inpaint=inpaint, INPAINT_TELEA=1))
    images, holes = pictures(3), boxes(3)
    before = images.copy()
    filled = telea_fill(images, holes)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(filled[~holes], images[~holes])
    assert (filled[holes] == 7).all()
    for i, (image, mask, radius, method) in enumerate(seen):
        np.testing.assert_array_equal(image, np.where(holes[i, ..., None], 128, images[i]))  # no truth under the hole
        np.testing.assert_array_equal(mask, holes[i])
        assert (mask.dtype, radius, method) == (np.uint8, 3, 1)


def test_telea_fill_does_not_depend_on_what_lies_under_the_hole():
    pytest.importorskip("cv2", reason="needs opencv-python-headless")
    holes = boxes(2)
    images = pictures(2)
    garbled = images.copy()
    garbled[holes] = 255 - garbled[holes]
    np.testing.assert_array_equal(telea_fill(garbled, holes), telea_fill(images, holes))


def test_telea_fill_says_what_to_install_where_there_is_no_opencv(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ModuleNotFoundError, match=r"telea=true needs OpenCV .*pip install opencv-python-headless"):
        telea_fill(pictures(1), boxes(1))
