"""What the page is sent of a fill: patches, crops of holes that are filled in pieces, no more pixels than it can show."""

import base64
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import maskgit_lab.web.fill as web_fill
from maskgit_lab.web.crops import touched
from maskgit_lab.web.fill import _crop, _patch, _shown_steps
from tests.support.page_requests import box_hole, noise


def image_of(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def crop_of(part: tuple[int, int, int, int], pasted: np.ndarray, *, box: tuple[int, int, int] = (10, 20, 32)) -> Any:
    steps = np.arange(3, dtype=np.uint8)[None, :, None, None, None] * np.ones((1, 3, 8, 8, 3), np.uint8)
    masks = np.ones((1, 3, 4, 4), bool)
    masks[0, 1, :2] = masks[0, 2] = False
    return SimpleNamespace(
        box=box, part=part, pasted=pasted, hole=np.ones((8, 8), bool), step_images=steps, step_masks=masks,
        confidence=np.full((1, 4, 4), 1 / 3, np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_patch_is_opaque_in_the_hole_only(mode: str):
    image, hole = noise(30, 20, mode=mode), box_hole(30, 20, (4, 5, 9, 11))
    hole[5, 4] = False
    if mode == "RGBA":
        image.putalpha(255)
    patch = _patch(image, hole)
    assert patch["box"] == [4, 5, 5, 6]
    shown = np.asarray(image_of(patch["png"]))
    assert np.array_equal(shown[..., 3] == 255, hole[5:11, 4:9])
    assert np.array_equal(shown[..., :3][hole[5:11, 4:9]], np.asarray(image.convert("RGB"))[hole])


def test_crop_holds_its_steps_one_below_the_other():
    part = (10, 20, 42, 52)
    sent = _crop(crop_of(part, np.ones((32, 32), bool)), 0, [0, 2])
    assert sent["box"] == [10, 20, 32, 32]
    assert sent["part"] == [10, 20, 32, 32]
    assert np.asarray(image_of(sent["images"]))[::8, 0, 0].tolist() == [0, 2]
    assert sent["start"] == "1" * 16
    assert sent["masks"] == ["1" * 16, "0" * 16]
    assert sent["confidence"] == [0.333] * 16


def test_crop_of_a_hole_in_pieces_shows_the_tokens_that_it_gives_only():
    pasted = np.zeros((10, 12), bool)
    pasted[:, 9:] = True
    found = touched(crop_of((20, 30, 32, 40), pasted), 4)  # cells of 8 pixels from (10, 20) on
    assert np.argwhere(found).tolist() == [[1, 2], [2, 2]]


def test_crop_may_exceed_a_small_image():
    found = touched(crop_of((0, 0, 8, 8), np.ones((8, 8), bool), box=(-12, -12, 32)), 4)
    assert np.argwhere(found).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_steps_are_left_out_evenly_where_they_would_be_too_many_pixels(monkeypatch: pytest.MonkeyPatch):
    crops = [SimpleNamespace(hole=np.ones((8, 8), bool), step_images=np.empty((1, 7, 8, 8, 3)))] * 2
    assert _shown_steps(crops, 3) == [0, 1, 2, 3, 4, 5, 6]
    monkeypatch.setattr(web_fill, "MAX_STEP_PIXELS", 3 * 2 * 3 * 64)
    assert _shown_steps(crops, 3) == [0, 3, 6]
    monkeypatch.setattr(web_fill, "MAX_STEP_PIXELS", 1)
    assert _shown_steps(crops, 3) == [6]
    assert _shown_steps([], 1) == []
