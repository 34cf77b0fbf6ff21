"""Masks find their images by name, or by numbers that leave no doubt; everything else is refused by name."""

import logging
from pathlib import Path

import pytest

from maskgit_lab.data.mask_pairing import find_masks, images_among, pair_by_suffix, pair_masks
from tests.support.builders import boxes, pictures, write_pictures


def pairs(images: str, masks: str) -> list[str]:
    return [
        path.name for path in pair_masks([Path("a", name) for name in images.split()], [Path("m", name) for name in masks.split()])
    ]


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        ("cat.png dog.jpg", "dog.png cat.png", "cat.png dog.png"),
        ("cat.png image_007.png", "mask_7.png cat.jpg", "cat.jpg mask_7.png"),
        ("image_001.png image_002.png", "mask_2.png mask_1.png", "mask_1.png mask_2.png"),
        ("beach.png", "beach_mask.png", "beach_mask.png"),
        ("beach.png", "beach-mask.png", "beach-mask.png"),
        ("beach.png", "beach.mask.png", "beach.mask.png"),
        ("beach.png", "mask_beach.png", "mask_beach.png"),
        ("beach.jpg", "beach.jpg.png", "beach.jpg.png"),
        ("image1.png image2.png", "image1_mask001.png image2_mask001.png", "image1_mask001.png image2_mask001.png"),
        ("image1.png image2.png", "image2_mask001.png image1_mask002.png", "image1_mask002.png image2_mask001.png"),
        ("IMG_1.JPG", "img_1.png", "img_1.png"),
        ("cafe\u0301.png", "caf\u00e9.png", "caf\u00e9.png"),
        ("cat.jpg cat.png", "cat.png cat.jpg", "cat.jpg cat.png"),
        ("cat.jpg cat.png", "cat.png.png cat.jpg.png", "cat.jpg.png cat.png.png"),
        ("cat.jpg.png cat.png.png", "cat.png cat.jpg", "cat.jpg cat.png"),
        ("cat_1.png dog_2.png", "mask_1.png mask_2.png", "mask_1.png mask_2.png"),
    ],
)  # fmt: skip
def test_pair_masks_goes_by_name_or_by_number(images: str, masks: str, expected: str):
    assert pairs(images, masks) == expected.split()


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [
        ("cat_1.png cat_2.png dog_1.png", "cat_1.png cat_2.png", "1 images have no mask in m: dog_1.png. Masks pair by"),
        ("cat_1.png dog_3.png", "cat_1.png bird_3.png", "no mask in m: dog_3.png"),
        ("cat_1.png dog_2.png", "cat_1.png cat_2.png", "no mask in m: dog_2.png"),
        ("cat_1.png dog_1.png", "mask_1.png mask_2.png", "2 images have no mask in m: cat_1.png, dog_1.png"),
        ("a_1.png a_2.png", "mask_1.png mask_01.png mask_2.png", "2 images have no mask"),
        ("a_1.png a_2.png", "cat_1.png dog_2.png", "2 images have no mask"),
        ("a.png b.png c.png d.png e.png f.png g.png", "x.png", "7 images have no mask in m: .* and 2 more"),
        ("cat.png", "cat.png cat.jpg", r"1 images have more than one mask: cat.png \(cat.png, cat.jpg\)"),
        ("image1.png", "image1_mask000.png image1_mask001.png", "1 images have more than one mask"),
        ("cat.jpg cat.png", "cat.png", "cat.jpg, cat.png share one mask, m/cat.png: rename them"),
        ("cat.jpg cat.bmp", "cat.png", "cat.jpg, cat.bmp share one mask, m/cat.png: rename them"),
        ("cat.jpg", "", "no mask in an empty folder: cat.jpg"),
    ],
)  # fmt: skip
def test_pair_masks_refuses_what_is_not_certain(images: str, masks: str, message: str):
    with pytest.raises(ValueError, match=message):
        pairs(images, masks)


def test_pair_masks_says_what_it_did_by_number_and_what_is_left(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        pairs("image_001.png", "mask_1.png mask_2.png")
    assert caplog.messages == [
        "1 masks found by their number: mask_1.png for image_001.png, and so on", "1 of 2 masks in m belong to no image: mask_2.png"
    ]  # fmt: skip


def test_find_masks_takes_one_file_for_all_images_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    images = write_pictures(tmp_path / "in", pictures(3))
    (mask,) = write_pictures(tmp_path, boxes(1), name="watermark.png")
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        assert find_masks(images, mask, key="masks") == [mask] * 3
        assert find_masks(images[:1], mask, key="masks") == [mask]
    assert [line.partition("watermark.png ")[2] for line in caplog.messages] == [
        "is the mask of all 3 images", "is the mask of image_000.png"
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"masks: .*image_001.png is one of the images itself"):
        find_masks(images, images[1], key="masks")


def test_images_among_tells_masks_by_their_names(tmp_path: Path):
    images = write_pictures(tmp_path, pictures(2), name="cat{}.png")
    masks = write_pictures(tmp_path, boxes(2), name="cat{}_mask.png")
    everything = sorted([*images, *masks])
    assert images_among(everything, masks=tmp_path, key="images") == images
    assert find_masks(images, tmp_path, key="masks") == masks
    assert find_masks(images[:1], tmp_path, key="masks") == masks[:1]
    for elsewhere in (None, tmp_path / "masks"):
        with pytest.raises(ValueError, match=r"images: 2 files in .* are masks of others by their names: cat0_mask.png, cat1_mask"):
            images_among(everything, masks=elsewhere, key="images")


def test_images_among_leaves_alone_what_only_sounds_like_a_mask():
    paths = [Path("halloween_mask.png"), Path("cat.png"), Path("mask_7.png"), Path("damask.png"), Path("da.png")]
    assert images_among(paths, masks=None, key="images") == paths


def test_find_masks_refuses_a_folder_that_holds_images_only(tmp_path: Path):
    images = write_pictures(tmp_path, pictures(2))
    with pytest.raises(ValueError, match=r"masks: all files in .* are images themselves"):
        find_masks(images, tmp_path, key="masks")


def test_pair_by_suffix_takes_only_names_with_it(tmp_path: Path):
    images = [Path("a/cat.jpg"), Path("a/dog.png")]
    masks = [Path("m/cat.png"), Path("m/dog.png_Hole.png"), Path("m/cat_hole.png"), Path("m/dog_mask.png")]
    assert pair_by_suffix(images, masks, "_hole") == [masks[2], masks[1]]
    with pytest.raises(ValueError, match=r"1 images have no mask with mask_suffix=_mask, as cat_mask.png: cat.jpg"):
        pair_by_suffix(images, masks, "_mask")
    with pytest.raises(ValueError, match=r"not one to one with mask_suffix=_hole: cat.jpg \(cat_hole.png\), cat.bmp"):
        pair_by_suffix([images[0], Path("a/cat.bmp"), images[1]], masks, "_hole")


def test_images_among_knows_masks_by_their_suffix(tmp_path: Path):
    images = write_pictures(tmp_path, pictures(2))
    masks = write_pictures(tmp_path, boxes(2), name="image_{:03d}-X.png")
    assert images_among([*images, *masks], masks=tmp_path, key="images", suffix="-x") == images
    assert find_masks(images, tmp_path, key="masks", suffix="-x") == masks
