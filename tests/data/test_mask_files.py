"""Masks and photos from files: sizes that fit, and warnings about holes that were probably not meant."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.data.image_opening import ReadOptions
from maskgit_lab.data.mask_files import load_masks, load_photos
from tests.support.builders import boxes, pictures, write_pictures


@pytest.mark.parametrize("hole", ["white", "black"])
def test_load_masks_is_told_which_colour_is_the_hole(tmp_path: Path, hole: str):
    holes = boxes(3)
    paths = write_pictures(tmp_path, holes if hole == "white" else ~holes)
    np.testing.assert_array_equal(load_masks(paths, resolution=32, hole=hole), holes)
    with pytest.raises(ValueError, match="mask_hole must be black or white, got 'grey'"):
        load_masks(paths, resolution=32, hole="grey")


def test_load_masks_loses_no_hole_pixel(tmp_path: Path):
    mask = np.zeros((1, 640, 640), bool)
    mask[0, 5, 3] = True
    (hole,) = load_masks(write_pictures(tmp_path, mask), resolution=32, hole="white")
    assert np.argwhere(hole).tolist() == [[0, 0]]


def test_load_masks_names_what_it_cannot_tell(tmp_path: Path):
    Image.new("L", (32, 32), 128).save(tmp_path / "grey.png")
    with pytest.raises(ValueError, match=r"1 of 1 files cannot be used: .*grey.png \(every pixel has the value 128"):
        load_masks([tmp_path / "grey.png"], resolution=32, hole="white")


def test_load_masks_says_by_which_rule_it_read(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    layer = np.zeros((32, 32, 4), np.uint8)
    layer[:8, :8, 3] = 255
    Image.fromarray(layer).save(tmp_path / "paint.png")
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        load_masks([tmp_path / "paint.png"], resolution=32, hole="white")
    assert caplog.messages == ["1 of 1 masks were read by their transparency, what is painted is the hole: paint.png"]


def photos_with(
    tmp_path: Path, image: tuple[int, int], mask: tuple[int, int], *, orientation: int = 1
) -> tuple[list[Path], list[Path]]:
    """Write an image and a mask of width and height, whose left half is the hole."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", image, (90, 90, 90)).save(tmp_path / "photo.png", exif=exif)
    half = Image.new("L", mask)
    half.paste(255, (0, 0, mask[0] // 2, mask[1]))
    half.save(tmp_path / "mask.png")
    return [tmp_path / "photo.png"], [tmp_path / "mask.png"]


@pytest.mark.parametrize("mask", [(90, 60), (180, 120), (45, 30), (46, 30)])
def test_load_photos_takes_masks_of_the_images_proportions(tmp_path: Path, mask: tuple[int, int]):
    photos = load_photos(*photos_with(tmp_path, (90, 60), mask), resolution=32, hole="white")
    assert photos.holes[0, :, :16].all()
    assert not photos.holes[0, :, 18:].any()


@pytest.mark.parametrize("mask", [(60, 90), (64, 64), (90, 90), (32, 32)])
def test_load_photos_refuses_masks_of_other_proportions(tmp_path: Path, mask: tuple[int, int]):
    with pytest.raises(ValueError, match=rf"photo.png \(mask mask.png: {mask[0]}x{mask[1]} pixels, but its image.* has 90x60"):
        load_photos(*photos_with(tmp_path, (90, 60), mask), resolution=32, hole="white")


def test_load_photos_takes_a_mask_drawn_on_what_a_viewer_shows(tmp_path: Path):
    turned = photos_with(tmp_path, (60, 90), (90, 60), orientation=6)
    assert load_photos(*turned, resolution=32, hole="white").holes[0, :, :16].all()
    raw = photos_with(tmp_path, (60, 90), (60, 90), orientation=6)
    with pytest.raises(ValueError, match="60x90 pixels, but its image turned upright, has 90x60"):
        load_photos(*raw, resolution=32, hole="white")


def test_load_photos_keeps_the_scratch_out_of_the_known_pixels(tmp_path: Path):
    hole = np.zeros((1, 100, 100), bool)
    hole[0, 50:53] = True
    image = np.full((1, 100, 100, 3), 60, np.uint8)
    image[hole] = 255
    paths = write_pictures(tmp_path / "in", image), write_pictures(tmp_path / "m", hole)
    photos = load_photos(*paths, resolution=32, hole="white")
    assert (photos.images[~photos.holes] == 60).all()


def test_load_photos_goes_on_without_bad_files_when_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    images = write_pictures(tmp_path / "in", pictures(4))
    masks = write_pictures(tmp_path / "m", boxes(4))
    images[1].write_bytes(b"cut")
    Image.new("L", (32, 32), 7).save(masks[2])
    with pytest.raises(ValueError, match=r"2 of 4 files cannot be used: .*image_001.png .*mask image_002.png.*skip_bad=true"):
        load_photos(images, masks, resolution=32, hole="white", options=ReadOptions(keys=""))
    photos = load_photos(images, masks, resolution=32, hole="white", options=ReadOptions(keys="", skip_bad=True))
    assert photos.paths == [images[0], images[3]]
    np.testing.assert_array_equal(photos.holes, boxes(4)[[0, 3]])
    np.testing.assert_array_equal(photos.images, pictures(4)[[0, 3]])
    assert "Going on without 2 of 4 files" in caplog.text
    for path in images:
        path.write_bytes(b"cut")
    with pytest.raises(ValueError, match="4 of 4 files cannot be used"):
        load_photos(images, masks, resolution=32, hole="white", options=ReadOptions(keys="", skip_bad=True))
