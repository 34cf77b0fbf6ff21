"""Whatever way pixels are stored, they are what a viewer shows; what has no one meaning is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image, TiffImagePlugin

from maskgit_lab.data.image_opening import BadImageError, ReadOptions, opened
from maskgit_lab.data.image_pixels import rgb_pixels

GREY = (np.arange(32 * 32).reshape(32, 32) // 4).astype(np.uint8)


def read(path: Path) -> np.ndarray:
    with opened(path, ReadOptions()) as image:
        return np.asarray(rgb_pixels(image))


def saved(path: Path, image: Image.Image, **options: Any) -> np.ndarray:
    image.save(path, **options)
    return read(path)


# Pillow before 13 does not read the YCbCr that it writes
YCBCR = pytest.param("YCbCr", marks=pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="Pillow before 13"))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", YCBCR])
def test_rgb_pixels_turns_every_mode_into_rgb(tmp_path: Path, mode: str):
    image = Image.fromarray(GREY).convert("L" if mode in ("P", "LA") else "RGB").convert(mode)
    loaded = saved(tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png"), image)
    np.testing.assert_allclose(loaded.astype(int), GREY[..., None].repeat(3, -1), atol=4)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("brightest", [255, 100, 1])
def test_rgb_pixels_scales_wide_grey_by_its_bits_not_by_its_brightest_pixel(tmp_path: Path, suffix: str, brightest: int):
    grey = np.minimum(GREY, brightest)
    loaded = saved(tmp_path / f"a.{suffix}", Image.fromarray(grey.astype(np.uint16) * 257))
    np.testing.assert_array_equal(loaded, grey[..., None].repeat(3, -1))


def test_rgb_pixels_knows_wide_grey_in_which_zero_is_white(tmp_path: Path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    loaded = saved(tmp_path / "a.tif", Image.fromarray(GREY.astype(np.uint16) * 257), tiffinfo=tags)
    np.testing.assert_array_equal(loaded, 255 - GREY[..., None].repeat(3, -1))


def test_rgb_pixels_turns_wide_grey_upright(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = np.ascontiguousarray(np.rot90(GREY)).astype(np.uint16) * 257
    np.testing.assert_array_equal(saved(tmp_path / "a.png", Image.fromarray(turned), exif=exif)[..., 0], GREY)
    np.testing.assert_array_equal(saved(tmp_path / "a.tif", Image.fromarray(turned), exif=exif)[..., 0], GREY)


@pytest.mark.parametrize(("dtype", "message"), [(np.float32, "32-bit floats"), (np.int32, "32-bit integers")])
def test_rgb_pixels_refuses_numbers_of_unknown_range(tmp_path: Path, dtype: type, message: str):
    with pytest.raises(BadImageError, match=f"{message} of unknown range; save it with 8 or 16 bits"):
        saved(tmp_path / "a.tif", Image.fromarray(GREY.astype(dtype)))


def test_rgb_pixels_refuses_colours_that_pillow_cannot_convert(tmp_path: Path):
    with pytest.raises(BadImageError, match="CIELAB"):
        saved(tmp_path / "a.tif", Image.new("LAB", (32, 32)))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_rgb_pixels_shows_white_through_transparency(tmp_path: Path, mode: str):
    assert (saved(tmp_path / "a.png", Image.new("RGBA", (32, 32), (10, 10, 10, 0)).convert(mode)) == 255).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "I;16"])
def test_rgb_pixels_shows_white_where_a_colour_means_transparent(tmp_path: Path, mode: str):
    values = np.where(GREY < 128, 0, 200)
    key: int | tuple[int, int, int] = 0
    if mode == "I;16":
        image = Image.fromarray((values * 257).astype(np.uint16))
    else:
        image, key = Image.fromarray(values.astype(np.uint8)).convert(mode), (0, 0, 0) if mode == "RGB" else 0
    loaded = saved(tmp_path / "a.png", image, transparency=key)
    np.testing.assert_array_equal(loaded[..., 0], np.where(GREY < 128, 255, 200))


def test_rgb_pixels_of_a_film_are_its_first_image(tmp_path: Path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    np.testing.assert_array_equal(saved(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])[..., 0], GREY)
