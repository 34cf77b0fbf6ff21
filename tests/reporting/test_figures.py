"""Figures: right sizes, pixels kept, nothing global."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.reporting.canvas import HOLE_LINE, MARGIN, outlined
from maskgit_lab.reporting.figures import NOTE, save_rows, save_strip, strip_image


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


def opened(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_save_rows_keeps_every_pixel(tmp_path, pictures):
    path = save_rows(tmp_path / "new" / "rows.png", {"truth": pictures, "input": 255 - pictures})
    sheet = opened(path)
    last = sheet[-MARGIN - 160 : -MARGIN, -MARGIN - 160 : -MARGIN]
    assert (last[::10, ::10] == 255 - pictures[-1]).all()


def test_save_rows_outlines_the_hole_but_in_the_truth_and_leaves_room_for_notes(tmp_path, pictures):
    holes = np.zeros((3, 16, 16), bool)
    holes[:, 4:8, 4:8] = True
    columns = {"truth": pictures, "input": pictures}
    plain = opened(save_rows(tmp_path / "plain.png", columns))
    sheet = opened(save_rows(tmp_path / "rows.png", columns, holes=holes, notes={"input": ["a", "b", "c"]}))
    assert sheet.shape[0] == plain.shape[0] + 3 * NOTE
    lines = (sheet == HOLE_LINE).all(-1)
    half = sheet.shape[1] // 2
    assert not lines[:, :half].any()
    assert lines[:, half:].sum() == 3 * 4 * (40 - 1)  # the edge of 40 x 40 enlarged pixels


def test_outlined_draws_inside_the_region_only():
    image, region = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool)
    region[2:7, 2:7] = True
    changed = (outlined(image, region, colour=(1, 2, 3)) != 0).any(-1)
    assert changed.sum() == 16
    assert not changed[~region].any()
    assert (outlined(image, region, width=2) != 0).any(-1).sum() == 24


def strip(pictures: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    hole = np.eye(16, dtype=bool)
    return strip_image(image=pictures[0], hole=hole, steps=[pictures[1]], result=pictures[2], truth=truth)


def test_strip_image_starts_with_the_input_and_ends_with_the_truth(pictures):
    result = strip(pictures, truth=255 - pictures[0])
    assert (result[:32:2, :32:2] == pictures[0]).all()
    assert (result[:32:2, -32::2] == 255 - pictures[0]).all()


def test_strip_image_without_truth_is_one_image_shorter(pictures):
    assert strip(pictures, pictures[0]).shape[1] - strip(pictures, None).shape[1] == 36


def test_save_strip_keeps_its_pixels(tmp_path, pictures):
    image = strip(pictures, pictures[0])
    sheet = opened(save_strip(tmp_path / "strip.png", image, steps=[4], with_truth=True))
    height, width, _ = image.shape
    assert (sheet[-MARGIN - height : -MARGIN, MARGIN : MARGIN + width] == image).all()


def test_curves_do_not_import_pyplot():
    code = "import sys, maskgit_lab.reporting.curves; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
