"""Masks from files: what marks the hole, and sizes that fit."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.data.image_opening import BadImageError, ReadOptions, shown_size
from maskgit_lab.data.mask_files import load_masks, open_mask
from tests.support.builders import boxes, pictures, write_pictures


@pytest.mark.parametrize("hole", ["white", "black"])
def test_load_masks_is_told_which_colour_is_the_hole(tmp_path: Path, hole: str):
    holes = boxes(3)
    paths = write_pictures(tmp_path, holes if hole == "white" else ~holes)
    np.testing.assert_array_equal(load_masks(paths, resolution=32, hole=hole), holes)
    with pytest.raises(ValueError, match="mask_hole must be white, black, alpha or a colour like #ff0000, got 'grey'"):
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


def opened_mask(tmp_path: Path, mask: tuple[int, int], *, size: tuple[int, int] = (90, 60)) -> np.ndarray:
    """Return the hole of a mask of width and height whose left half is white, for an image of `size`."""
    half = Image.new("L", mask)
    half.paste(255, (0, 0, mask[0] // 2, mask[1]))
    half.save(tmp_path / "mask.png")
    hole, _, scaled = open_mask(tmp_path / "mask.png", hole="white", size=size)
    assert scaled == (mask != size)
    return hole


@pytest.mark.parametrize("mask", [(90, 60), (180, 120), (45, 30), (46, 30)])
def test_open_mask_scales_masks_of_the_images_proportions(tmp_path: Path, mask: tuple[int, int]):
    hole = opened_mask(tmp_path, mask)
    assert hole.shape == (60, 90)
    assert hole[:, :44].all()
    assert not hole[:, 48:].any()


@pytest.mark.parametrize("mask", [(60, 90), (64, 64), (90, 90), (32, 32)])
def test_open_mask_refuses_masks_of_other_proportions(tmp_path: Path, mask: tuple[int, int]):
    with pytest.raises(BadImageError, match=rf"{mask[0]}x{mask[1]} pixels, but its image.* has 90x60"):
        opened_mask(tmp_path, mask)


def test_load_masks_takes_what_is_transparent_or_of_a_colour(tmp_path: Path):
    holes = boxes(2)
    layers = np.full((2, 32, 32, 4), 200, np.uint8)
    layers[..., 3] = np.where(holes, 0, 255)
    clear = write_pictures(tmp_path / "clear", layers)
    np.testing.assert_array_equal(load_masks(clear, resolution=32, hole="alpha"), holes)
    labels = np.where(holes[..., None], np.array([255, 0, 128], np.uint8), pictures(2) // 2)
    coloured = write_pictures(tmp_path / "coloured", labels)
    np.testing.assert_array_equal(load_masks(coloured, resolution=32, hole="#FF0080"), holes)
    with pytest.raises(ValueError, match=r"image_000.png \(no transparency, but mask_hole=alpha"):
        load_masks(coloured, resolution=32, hole="alpha")


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("hole", ["white", "#ffffff"])
def test_masks_are_turned_once_by_exif_also_where_pillow_turns_them(tmp_path: Path, suffix: str, hole: str):
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored top row is the right column that a viewer shows
    corner = np.zeros((32, 48), np.uint8)
    corner[:8, :16] = 255
    options = {"compression": "tiff_lzw"} if suffix == "tif" else {}  # raw ones of one channel Pillow 13 reads in the wrong order
    Image.fromarray(corner).save(tmp_path / f"mask.{suffix}", exif=exif, **options)
    assert shown_size(tmp_path / f"mask.{suffix}", ReadOptions()) == (32, 48)
    found, _, scaled = open_mask(tmp_path / f"mask.{suffix}", hole=hole, size=(32, 48))
    assert not scaled
    assert found[:16, -8:].all()
    assert found.sum() == 128
