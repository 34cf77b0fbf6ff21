"""Other programs' outputs: each with its own truth, and warnings where they look wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskgit_lab.commands.outputs import Outputs, read_outputs, warn_of_outputs
from maskgit_lab.data.image_opening import ReadOptions
from tests.support.builders import boxes, pictures, write_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    truth, holes = pictures(4), boxes(4)
    write_pictures(tmp_path / "truth", truth, name="true_{}.png")
    write_pictures(tmp_path / "outputs", np.where(holes[..., None], 7, truth).astype(np.uint8), name="filled_{}.png")
    write_pictures(tmp_path / "masks", holes, name="mask_{}.png")
    return tmp_path


def read(folder: Path, **changes: Any) -> Outputs:
    options = ReadOptions(max_pixels=2000, keys="")
    arguments = {"mask_hole": "white", **changes}
    return read_outputs(folder / "outputs", truth=folder / "truth", masks=folder / "masks", options=options, **arguments)


def test_read_outputs_pairs_by_number_and_takes_white_for_the_hole(folder: Path, caplog: pytest.LogCaptureFixture):
    found = read(folder)
    np.testing.assert_array_equal(found.truth, pictures(4))
    np.testing.assert_array_equal(found.holes, boxes(4))
    assert (found.images[boxes(4)] == 7).all()
    assert "Warning" not in caplog.text


def test_read_outputs_warns_of_the_wrong_colour(folder: Path, caplog: pytest.LogCaptureFixture):
    with pytest.raises(ValueError, match=r"4 of 4 masks have more than 60% of their pixels in the hole.* use mask_hole=white"):
        read(folder, mask_hole="black")
    read(folder, mask_hole="black", max_share=1)
    assert "4 of 4 outputs equal the truth under the mask, which scores perfectly" in caplog.text


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        (("outputs/filled_1.png", "outputs/filled_2.png", "outputs/filled_3.png"), "outputs: 1 image in .* needs at least 2"),
        (("masks/mask_2.png", "masks/mask_3.png"), "2 images have no mask in .*masks: filled_2.png, filled_3.png"),
        (("truth/true_0.png",), "1 images have no truth in .*truth: filled_0.png"),
    ],
)
def test_read_outputs_says_at_once_what_is_missing(folder: Path, removed: tuple[str, ...], message: str):
    for name in removed:
        (folder / name).unlink()
    with pytest.raises(ValueError, match=message):
        read(folder)


def test_read_outputs_gives_no_truth_to_two_outputs(folder: Path):
    with pytest.raises(ValueError, match=r"truth: .* is a file; each output needs its own truth"):
        read_outputs(
            folder / "outputs", truth=folder / "truth" / "true_0.png", masks=None, mask_hole="white", options=ReadOptions()
        )


def test_read_outputs_bounds_every_image(folder: Path):
    write_pictures(folder / "outputs", pictures(1, resolution=64), name="filled_2.png")
    with pytest.raises(ValueError, match=r"1 of 4 files .*filled_2.png \(64x64 pixels, more than max_pixels=2000"):
        read(folder)
    write_pictures(folder / "truth", pictures(1, resolution=64), name="true_0.png")
    with pytest.raises(ValueError, match=r"truth: .*true_0.png \(64x64 pixels, more than max_pixels"):
        read(folder)


NAMES = ("a", "b", "c")


def test_warn_of_outputs_that_are_the_truth(caplog: pytest.LogCaptureFixture):
    warn_of_outputs(pictures(3), pictures(3), None, NAMES, mask_hole="white")
    assert "3 of 3 outputs equal the truth, which scores perfectly: a, b, c; are they copies of it?" in caplog.text


def test_warn_of_outputs_that_differ_mostly_outside(caplog: pytest.LogCaptureFixture):
    holes, truth = boxes(3), pictures(3).clip(10, 200)
    outputs = np.where(holes[..., None], truth + 2, truth + 40).astype(np.uint8)  # as JPEG does under a mask that is inverted
    warn_of_outputs(outputs, truth, holes, NAMES, mask_hole="white")
    assert "3 of 3 outputs differ from the truth more outside the mask than under it" in caplog.text


def test_warn_of_outputs_is_silent_about_fills(caplog: pytest.LogCaptureFixture):
    holes, truth = boxes(3), pictures(3).clip(10, 200)
    warn_of_outputs(np.where(holes[..., None], truth + 40, truth + 5).astype(np.uint8), truth, holes, NAMES, mask_hole="white")
    assert not caplog.messages
