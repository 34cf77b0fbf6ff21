"""Figures: right sizes, pixels kept, nothing global."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.reporting.figures import MARGIN, save_rows, save_schedule_figure, save_strip, strip_image


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


def test_save_schedule_figure_wraps_many_steps_into_equal_bands(tmp_path, pictures):
    sizes = {}
    for steps in (6, 12):
        masks, images = np.zeros((steps, 4, 4), dtype=bool), np.repeat(pictures[:1], steps, 0)
        path = save_schedule_figure(tmp_path / f"{steps}.png", "cosine", step_masks=masks, step_images=images)
        sizes[steps] = opened(path).shape
    assert sizes[6][1] == sizes[12][1]
    assert sizes[12][0] > 1.8 * sizes[6][0]


def test_save_schedule_figure_shows_the_hidden_share(tmp_path, pictures):
    dark = []
    for share in (0, 8, 16):
        masks = (np.arange(16) < share).reshape(1, 4, 4)
        path = save_schedule_figure(tmp_path / "s.png", "x", step_masks=masks, step_images=pictures[:1])
        dark.append(int((opened(path) == (40, 45, 66)).all(-1).sum()))
    assert dark[0] < dark[1]
    assert dark[2] - dark[0] == 2 * (dark[1] - dark[0])


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
