"""The lab's folder, small and, where it is at hand, real."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from maskgit_lab.data.cat_faces import CatFaces
from maskgit_lab.data.image_set import DataSplits, paint_holes
from tests.support.builders import boxes, pictures, write_pictures


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A lab folder whose test images 0 and 1 are in train, and 2 in val."""
    folder = tmp_path / "lab"
    truth, holes = pictures(4, seed=3), boxes(4)
    write_pictures(folder / "train", np.concatenate([pictures(6, seed=1), truth[:2]]))
    write_pictures(folder / "val", np.concatenate([pictures(3, seed=2), truth[2:3]]))
    write_pictures(folder / "test_gt", truth, name="test_{:03d}.png")
    write_pictures(folder / "masked_image", paint_holes(truth, holes))
    write_pictures(folder / "mask64", ~holes, name="mask_{:03d}.png")
    return folder


def load(root: Path, *, split: str = "clean") -> DataSplits:
    return CatFaces(root=str(root), split=split, resolution=32).load(cache=root.parent / "cache")


def test_cat_faces_split_lab_is_the_folder_as_distributed(root: Path):
    splits = load(root, split="lab")
    assert (len(splits.train), len(splits.val), len(splits.test)) == (8, 4, 4)
    np.testing.assert_array_equal(splits.test.holes, boxes(4))  # black is the hole
    np.testing.assert_array_equal(splits.test.truth, pictures(4, seed=3))
    assert (splits.test.images[splits.test.holes] == 128).all()


def test_cat_faces_split_clean_drops_test_images_from_train_and_val(root: Path):
    splits = load(root)
    np.testing.assert_array_equal(splits.train.images, pictures(6, seed=1))
    np.testing.assert_array_equal(splits.val.images, pictures(3, seed=2))
    assert "3 images equal to test images dropped" in splits.description
    assert splits.train.fingerprint != load(root, split="lab").train.fingerprint


def test_cat_faces_split_clean_works_from_the_known_pixels_without_truth(root: Path):
    shutil.rmtree(root / "test_gt")
    splits = load(root)
    assert splits.test.truth is None
    assert (len(splits.train), len(splits.val)) == (6, 3)


@pytest.mark.parametrize("name", ["train", "val", "masked_image", "mask64"])
def test_cat_faces_names_a_missing_folder_with_the_layout(root: Path, name: str):
    shutil.rmtree(root / name)
    with pytest.raises(FileNotFoundError, match=rf"has no folder {name}/; expected train/ val/ masked_image/"):
        load(root)


def test_cat_faces_names_images_without_a_mask(root: Path):
    (root / "mask64" / "mask_002.png").unlink()
    with pytest.raises(ValueError, match=r"1 images have no mask in .*image_002.png"):
        load(root)


def test_cat_faces_refuses_other_sizes(root: Path):
    write_pictures(root / "val", pictures(1, resolution=64))
    with pytest.raises(ValueError, match=r"val/image_000.png \(64x64 pixels, expected 32x32 \(the key resolution\)\)"):
        load(root)


def test_cat_faces_refuses_unknown_splits(root: Path):
    with pytest.raises(ValueError, match=r"data.split must be lab or clean, got 'mine'"):
        load(root, split="mine")


def test_cat_faces_takes_white_holes_when_told(root: Path):
    write_pictures(root / "mask64", boxes(4), name="mask_{:03d}.png")
    source = CatFaces(root=str(root), resolution=32, mask_hole="white")
    np.testing.assert_array_equal(source.load(cache=root.parent / "cache").test.holes, boxes(4))
    with pytest.raises(ValueError, match=r"data.mask_hole must be white, black, alpha"):
        CatFaces(root=str(root), mask_hole="red")


@pytest.mark.slow
@pytest.mark.xdist_group("real_cats")
def test_cat_faces_of_the_real_folder_leak_as_known_and_the_clean_split_does_not(real_cats: Path, real_cats_home: Path):
    cache = real_cats_home / ".cache" / "maskgit_lab"
    source = {split: CatFaces(root=str(real_cats), split=split).load(cache=cache) for split in ("lab", "clean")}
    sizes = {name: (len(s.train), len(s.val), len(s.test)) for name, s in source.items()}
    assert sizes == {"lab": (12_000, 3_000, 747), "clean": (11_554, 2_876, 747)}
    test = source["lab"].test
    assert test.truth is not None
    assert 0.05 < test.holes.mean() < 0.5
