"""Any folder of images: splits that stay, masks from files or drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskgit_lab.data.image_folder import ImageFolder
from maskgit_lab.data.image_set import DataSplits
from tests.support.builders import boxes, pictures, write_pictures


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "photos", pictures(60, resolution=40))
    return tmp_path / "photos"


def load(root: Path, **changes: Any) -> DataSplits:
    arguments = {"root": str(root), "resolution": 32, "val_share": 0.3, **changes}
    return ImageFolder(**arguments).load(cache=root.parent / "cache")


def test_image_folder_splits_are_disjoint_and_complete(root: Path):
    splits = load(root)
    names = [set(part.names) for part in (splits.train, splits.val, splits.test)]
    assert sum(len(part) for part in names) == 60
    assert len(set.union(*names)) == 60
    assert len(names[0]) > len(names[1]) > 0
    assert splits.train.images.shape[1:] == (32, 32, 3)


def test_image_folder_does_not_move_old_images_when_new_ones_come(root: Path):
    before = load(root)
    write_pictures(root, pictures(20, seed=5, resolution=40), name="new_{}.png")
    after = load(root)
    for split in ("train", "val", "test"):
        assert set(getattr(before, split).names) <= set(getattr(after, split).names)


def test_image_folder_draws_the_same_holes_each_time_grey_in_the_input(root: Path):
    first, second = load(root).test, load(root).test
    np.testing.assert_array_equal(first.holes, second.holes)
    assert (first.images[first.holes] == 128).all()
    assert first.truth is not None
    np.testing.assert_array_equal(first.images[~first.holes], first.truth[~first.holes])


def test_image_folder_takes_tests_and_masks_from_their_own_folders(root: Path, tmp_path: Path):
    write_pictures(tmp_path / "test", pictures(3, seed=8), name="{}.png")
    write_pictures(tmp_path / "masks", boxes(3), name="{}.png")
    splits = load(root, test_root=str(tmp_path / "test"), masks=str(tmp_path / "masks"))
    np.testing.assert_array_equal(splits.test.holes, boxes(3))
    assert len(splits.train) + len(splits.val) == 60


def test_image_folder_split_clean_drops_copies_of_test_images(root: Path, tmp_path: Path):
    write_pictures(tmp_path / "test", pictures(2, resolution=40))  # the first two of root
    assert sum(map(len, (load(root, test_root=str(tmp_path / "test")).train, load(root).val))) < 60
    kept = load(root, test_root=str(tmp_path / "test"))
    everything = load(root, test_root=str(tmp_path / "test"), split="lab")
    assert len(everything.train) + len(everything.val) == 60
    assert len(kept.train) + len(kept.val) == 58


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_image_folder_refuses_shares_that_do_not_leave_both_parts(root: Path, share: float):
    with pytest.raises(ValueError, match=r"data.source.val_share must be between 0 and 1"):
        load(root, val_share=share)


def test_image_folder_says_when_images_are_too_few(tmp_path: Path):
    write_pictures(tmp_path / "photos", pictures(2, resolution=40))
    with pytest.raises(ValueError, match=r"data.root: 2 images in .*photos leave none for \w+; add images"):
        load(tmp_path / "photos")


def test_image_folder_goes_on_without_bad_files_when_told(root: Path, tmp_path: Path):
    write_pictures(tmp_path / "test", pictures(4, seed=8), name="{}.png")
    write_pictures(tmp_path / "masks", ~boxes(4), name="{}.png")
    (tmp_path / "test" / "1.png").write_bytes(b"cut")
    (root / "image_007.png").write_bytes(b"cut")
    places = {"test_root": str(tmp_path / "test"), "masks": str(tmp_path / "masks"), "mask_hole": "black"}
    with pytest.raises(ValueError, match=r"1 of 4 files cannot be used: .*1.png .*data.skip_bad=true"):
        load(root, **places)
    splits = load(root, **places, skip_bad=True)
    assert splits.test.names == ("0.png", "2.png", "3.png")
    np.testing.assert_array_equal(splits.test.holes, boxes(4)[[0, 2, 3]])
    assert len(splits.train) + len(splits.val) == 59


def test_image_folder_refuses_large_images_and_masks_of_other_proportions(root: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"40x40 pixels, more than data.max_pixels=1599"):
        load(root, max_pixels=1599)
    write_pictures(tmp_path / "test", pictures(2, seed=8)[:, :16])
    write_pictures(tmp_path / "masks", boxes(2))
    with pytest.raises(ValueError, match=r"2 of 2 files .*masks/image_000.png \(32x32 pixels, but its image has 32x16"):
        load(root, test_root=str(tmp_path / "test"), masks=str(tmp_path / "masks"))


def test_image_folder_does_not_train_on_masks(root: Path):
    write_pictures(root, boxes(1), name="image_003_mask.png")
    with pytest.raises(ValueError, match=r"data.root: 1 files in .*photos are masks of others by their names: image_003_mask.png"):
        load(root)


def test_image_folder_refuses_another_colour_of_the_hole(root: Path):
    with pytest.raises(ValueError, match=r"data.mask_hole must be white, black, alpha or a colour like #ff0000, got 'grey'"):
        load(root, mask_hole="grey")
