"""Nested folders: images with their masks folder by folder, and nothing taken for what it is not."""

import logging
from pathlib import Path

import pytest

from maskgit_lab.data.image_listing import list_tree
from maskgit_lab.data.mask_tree import images_of_tree, masks_of_tree
from tests.support.builders import boxes, pictures, write_pictures


def tree(root: Path, *, name: str = "image_{:03d}.png", holes: bool = False) -> list[Path]:
    """Write one image, or mask, into each of three folders inside one another."""
    content = boxes(3) if holes else pictures(3)
    return [write_pictures(root / place, content[i : i + 1], name=name)[0] for i, place in enumerate((".", "a", "a/b"))]


def test_list_tree_finds_images_in_all_folders_but_those_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    expected = tree(tmp_path / "in")
    for place in ("masks", ".hidden", "a/out"):
        write_pictures(tmp_path / "in" / place, pictures(2))
    (tmp_path / "in" / "a" / "notes.txt").write_text("x")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        found = list_tree(tmp_path / "in", key="images", without=[tmp_path / "in" / "masks", tmp_path / "in" / "a" / "out"])
    assert found == expected
    (line,) = caplog.messages
    assert "not read: linked folders: 1 (circle); other files: 1 (a/notes.txt)" in line
    assert list_tree(expected[1], key="images") == expected[1:2]
    (tmp_path / "none" / "below").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="images: no images in"):
        list_tree(tmp_path / "none", key="images")


def test_masks_of_tree_pairs_folder_by_folder(tmp_path: Path):
    images, masks = tree(tmp_path / "in"), tree(tmp_path / "m", holes=True)
    assert masks_of_tree(images, tmp_path / "in", tmp_path / "m", suffix=None, key="masks") == masks
    masks[2].unlink()
    masks[2].parent.rmdir()
    with pytest.raises(FileNotFoundError, match=r"masks: no folder .*/m/a/b with the masks of .*/in/a/b"):
        masks_of_tree(images, tmp_path / "in", tmp_path / "m", suffix=None, key="masks")


def test_masks_of_tree_takes_one_folder_or_one_file_for_all(tmp_path: Path):
    images = [write_pictures(tmp_path / "in" / place, pictures(1), name=f"{place}.png")[0] for place in ("x", "y")]
    masks = [write_pictures(tmp_path / "m", boxes(1), name=f"{place}_mask.png")[0] for place in ("x", "y")]
    assert masks_of_tree(images, tmp_path / "in", tmp_path / "m", suffix=None, key="masks") == masks
    assert masks_of_tree(images, tmp_path / "in", masks[0], suffix=None, key="masks") == [masks[0]] * 2


def test_images_of_tree_tells_masks_beside_their_images_apart(tmp_path: Path):
    images = tree(tmp_path / "in")
    masks = tree(tmp_path / "in", name="image_{:03d}-m.png", holes=True)
    everything = list_tree(tmp_path / "in", key="images")
    assert len(everything) == 6
    found = images_of_tree(everything, tmp_path / "in", masks=tmp_path / "in", suffix="-m", key="images")
    assert found == images
    assert masks_of_tree(found, tmp_path / "in", tmp_path / "in", suffix="-m", key="masks") == masks
