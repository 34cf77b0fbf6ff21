"""Images from files, and messages that name the file."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.data.image_files import files_fingerprint, load_image_set, load_images
from maskgit_lab.data.image_opening import ReadOptions
from tests.support.builders import pictures, write_pictures


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


def test_load_images_names_all_bad_files_at_once(tmp_path: Path):
    paths = write_pictures(tmp_path, pictures(9))
    for path in paths[1:8]:
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"7 of 9 files cannot be used: .*image_001.png \(not a readable image\).* and 2 more"):
        load_images(paths, resolution=32)


def test_load_images_refuses_wrong_sizes_where_they_must_be_exact(tmp_path: Path):
    paths = write_pictures(tmp_path, pictures(2, resolution=64))
    with pytest.raises(ValueError, match=r"image_000.png \(64x64 pixels, expected 32x32 \(the key resolution\)\)"):
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


def test_load_images_says_how_to_go_on_where_there_is_a_key_for_it(tmp_path: Path):
    paths = write_pictures(tmp_path, pictures(2))
    with pytest.raises(ValueError, match=r"2 of 2 .*32x32 pixels, more than data.max_pixels=9, which .*: data.skip_bad=true$"):
        load_images(paths, resolution=32, options=ReadOptions(max_pixels=9, keys="data."))
    with pytest.raises(ValueError, match=r"Repair or remove them$"):
        load_images(paths, resolution=32, options=ReadOptions(max_pixels=9))


def test_load_image_set_goes_on_without_bad_files_when_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    paths = write_pictures(tmp_path / "in", pictures(3))
    paths[1].write_bytes(b"cut")
    with pytest.raises(ValueError, match="1 of 3 files cannot be used"):
        load_image_set(paths, resolution=32, cache=tmp_path, options=ReadOptions(keys=""))
    found = load_image_set(paths, resolution=32, cache=tmp_path, options=ReadOptions(keys="", skip_bad=True))
    assert found.names == ("image_000.png", "image_002.png")
    np.testing.assert_array_equal(found.images, pictures(3)[[0, 2]])
    assert found.fingerprint == files_fingerprint([paths[0], paths[2]], 32)
    assert "Going on without 1 of 3 files: " in caplog.text


def test_files_fingerprint_takes_names_of_any_bytes(tmp_path: Path):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.touch()
    assert files_fingerprint([path]) != files_fingerprint([])
