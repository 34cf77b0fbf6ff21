"""Images and masks from files, and messages that name the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.data.image_files import files_fingerprint, list_images, load_images, load_masks, pair_masks
from tests.support.builders import boxes, pictures, write_pictures


def test_list_images_is_in_natural_order(tmp_path: Path):
    for name in ("image_10.png", "image_2.png", "image_1.png", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in list_images(tmp_path, key="k")] == ["image_1.png", "image_2.png", "image_10.png"]


def test_list_images_of_a_single_file_is_a_list_of_one(tmp_path: Path):
    path = write_pictures(tmp_path, pictures(1))[0]
    assert list_images(path, key="images") == [path]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_list_images_names_a_folder_without_images_with_its_key(tmp_path: Path, name: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=rf"data.root: no .*{name}"):
        list_images(tmp_path / name, key="data.root")


def test_load_images_keeps_pixels_as_they_are(tmp_path: Path):
    images = pictures(4)
    paths = write_pictures(tmp_path, images)
    np.testing.assert_array_equal(load_images(paths, resolution=32), images)


def test_load_images_goes_by_the_bytes_not_the_suffix(tmp_path: Path):
    paths = write_pictures(tmp_path, pictures(1), name="{}.jpg", quality=95)
    renamed = paths[0].rename(tmp_path / "0.png")
    assert load_images([renamed], resolution=32).shape == (1, 32, 32, 3)


def test_load_images_shortens_other_sizes_and_crops_their_centre(tmp_path: Path):
    wide = np.zeros((64, 128, 3), dtype=np.uint8)
    wide[:, 24:104] = 200  # the centre square and what the filter reads beside it
    paths = write_pictures(tmp_path, wide[None])
    np.testing.assert_array_equal(load_images(paths, resolution=32), np.full((1, 32, 32, 3), 200))


def test_load_images_turns_images_upright(tmp_path: Path):
    image = pictures(1)[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    path = tmp_path / "turned.png"
    Image.fromarray(np.ascontiguousarray(np.rot90(image))).save(path, exif=exif)
    np.testing.assert_array_equal(load_images([path], resolution=32)[0], image)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "I;16", "CMYK", "1"])
def test_load_images_turns_every_mode_into_rgb(tmp_path: Path, mode: str):
    grey = np.arange(32 * 32).reshape(32, 32) // 4
    if mode == "I;16":
        image = Image.fromarray((grey * 257).astype(np.uint16))
    else:
        image = Image.fromarray(grey.astype(np.uint8)).convert("L" if mode == "P" else "RGB").convert(mode)
    path = tmp_path / ("a.tif" if mode in ("CMYK", "I;16") else "a.png")
    image.save(path)
    loaded = load_images([path], resolution=32)[0]
    if mode != "1":
        np.testing.assert_allclose(loaded.astype(int), grey[..., None].repeat(3, -1), atol=4)
    assert loaded.shape == (32, 32, 3)


def test_load_images_shows_white_through_transparency(tmp_path: Path):
    Image.new("RGBA", (32, 32), (10, 20, 30, 0)).save(tmp_path / "a.png")
    assert (load_images([tmp_path / "a.png"], resolution=32) == 255).all()


def test_load_images_names_all_bad_files_at_once(tmp_path: Path):
    paths = write_pictures(tmp_path, pictures(9))
    for path in paths[1:8]:
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"7 of 9 files cannot be used: .*image_001.png \(not a readable image\).* and 2 more"):
        load_images(paths, resolution=32)


def test_load_images_refuses_wrong_sizes_where_they_must_be_exact(tmp_path: Path):
    paths = write_pictures(tmp_path, pictures(2, resolution=64))
    with pytest.raises(ValueError, match=r"image_000.png \(64x64 pixels, expected 32x32\)"):
        load_images(paths, resolution=32, exact=True)


def test_load_images_reads_its_cache_until_a_file_changes(tmp_path: Path):
    images = pictures(3)
    paths = write_pictures(tmp_path / "pictures", images)
    before = files_fingerprint(paths, 32)
    np.testing.assert_array_equal(load_images(paths, resolution=32, cache=tmp_path / "cache"), images)
    stored = next((tmp_path / "cache").rglob("*.npy"))
    stamp = stored.stat().st_mtime_ns
    load_images(paths, resolution=32, cache=tmp_path / "cache")
    assert stored.stat().st_mtime_ns == stamp
    other = write_pictures(tmp_path / "pictures", pictures(3, seed=5))
    assert files_fingerprint(other, 32) != before
    np.testing.assert_array_equal(load_images(other, resolution=32, cache=tmp_path / "cache"), pictures(3, seed=5))


@pytest.mark.parametrize("hole", ["white", "black"])
def test_load_masks_is_told_which_colour_is_the_hole(tmp_path: Path, hole: str):
    holes = boxes(3)
    paths = write_pictures(tmp_path, holes if hole == "white" else ~holes)
    np.testing.assert_array_equal(load_masks(paths, resolution=32, hole=hole), holes)
    with pytest.raises(ValueError, match="mask_hole must be black or white, got 'grey'"):
        load_masks(paths, resolution=32, hole="grey")


def test_load_masks_of_jpegs_gives_no_grey_edges(tmp_path: Path):
    holes = boxes(1)
    paths = write_pictures(tmp_path, holes, name="{}.jpg", quality=90)
    assert (load_masks(paths, resolution=32, hole="white") != holes).mean() < 0.02


def test_pair_masks_goes_by_name_or_number():
    images = [Path("a/cat.png"), Path("a/image_007.png")]
    masks = [Path("m/mask_7.png"), Path("m/cat.jpg")]
    assert pair_masks(images, masks) == [masks[1], masks[0]]
    with pytest.raises(ValueError, match=r"1 images have no mask in m: dog.png. Masks pair by"):
        pair_masks([*images, Path("a/dog.png")], masks)
