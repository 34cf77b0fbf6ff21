"""Images of every mode and type: what networks see of them, and that known values are the stored ones."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from maskgit_lab.data.image_opening import ORIENTATION, BadImageError
from maskgit_lab.repair.photo import ArrayPhoto, Photo
from maskgit_lab.repair.pillow_photo import PillowPhoto

WIDTH, HEIGHT = 53, 37
BOX = (8, 3, 40, 30)
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[5:20, 10:30] = True
COLOUR = np.array([200, 60, 30], np.uint8)
GREY = 98  # its luminance
MODES = [
    "1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "I;16", "I;16L", "I;16B", "I", "F",
]  # fmt: skip
# what a pixel of COLOUR is in modes in which it is not exactly that
EXPECTED: dict[str, Any] = {
    "1": False, "L": GREY, "LA": [GREY, 255], "La": [GREY, 255], "RGBA": [200, 60, 30, 255], "RGBa": [200, 60, 30, 255],
    "RGBX": [200, 60, 30, 255], "CMYK": [55, 195, 225, 0], "YCbCr": [98, 89, 200], "HSV": [7, 216, 200],
    "I;16": GREY * 257, "I;16L": GREY * 257, "I;16B": GREY * 257, "RGB": COLOUR,
}  # fmt: skip


def noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def image_of(mode: str) -> Image.Image:
    """Return an image of noise in a mode of Pillow."""
    rgba = Image.fromarray(noise(HEIGHT, WIDTH, 4))
    if mode == "P":
        return rgba.convert("RGB").quantize(17)
    if mode == "PA":
        palette = rgba.convert("RGB").quantize(17)
        image = Image.frombytes("PA", palette.size, np.stack([np.asarray(palette), noise(HEIGHT, WIDTH)], -1).tobytes())
        image.putpalette(palette.getpalette() or [])
        return image
    if mode.startswith("I;16"):
        return Image.frombytes(mode, (WIDTH, HEIGHT), noise(HEIGHT, WIDTH, dtype=np.uint16).tobytes())
    if mode == "I":
        return Image.fromarray(noise(HEIGHT, WIDTH, dtype=np.int32))
    if mode == "F":
        return Image.fromarray(np.random.default_rng(0).normal(size=(HEIGHT, WIDTH)).astype(np.float32))
    if mode == "La":
        return rgba.convert("LA").convert("La")
    return (rgba if mode in ("LA", "RGBA", "RGBa") else rgba.convert("RGB")).convert(mode)


def filled(photo: Photo) -> Any:
    """Fill HOLE with COLOUR."""
    photo.look(HOLE)
    left, top, right, bottom = BOX
    colours = np.broadcast_to(COLOUR, (bottom - top, right - left, 3))
    return photo.replaced(colours, HOLE[top:bottom, left:right], BOX)


@pytest.mark.parametrize("mode", MODES)
def test_photo_keeps_mode_size_and_known_values_of_pillow(mode: str):
    image = image_of(mode)
    before = image.tobytes()
    result = filled(PillowPhoto(image))
    assert (result.mode, result.size, image.tobytes()) == (mode, image.size, before)
    old, new = np.asarray(image), np.asarray(result)
    np.testing.assert_array_equal(new[~HOLE], old[~HOLE])
    if mode in EXPECTED:
        np.testing.assert_array_equal(new[HOLE], np.broadcast_to(EXPECTED[mode], new[HOLE].shape))
    else:
        assert (new[HOLE] == new[10, 15]).all()


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("1", "P", "PA")])  # these have few colours
def test_photo_shows_a_filled_hole_in_its_colour(mode: str):
    photo = PillowPhoto(filled(PillowPhoto(image_of(mode))))
    photo.look(HOLE)
    shown = photo.rgb((0, 0, WIDTH, HEIGHT))[10, 15].astype(int)
    grey = mode in ("L", "LA", "La", "I", "F") or mode.startswith("I;16")
    wanted = np.repeat(GREY, 3) if grey else COLOUR
    assert np.abs(shown - wanted).max() <= 2


@pytest.mark.parametrize("mode", MODES)
def test_photo_on_a_larger_canvas_has_the_same_values(mode: str):
    image = image_of(mode)
    grown = PillowPhoto(image).grown(1, 2, 3, 4)
    grown.look(np.zeros((grown.height, grown.width), bool))
    result = grown.replaced(np.empty((0, 0, 3), np.uint8), np.empty((0, 0), bool), (0, 0, 0, 0))
    assert (result.mode, result.size) == (mode, (WIDTH + 4, HEIGHT + 6))
    np.testing.assert_array_equal(np.asarray(result)[2 : 2 + HEIGHT, 1 : 1 + WIDTH], np.asarray(image))
    if mode in ("P", "PA"):
        shown = grown.rgb((1, 2, 1 + WIDTH, 2 + HEIGHT))
        np.testing.assert_array_equal(shown, PillowPhoto(image).rgb((0, 0, WIDTH, HEIGHT)))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.uint16, np.int32, np.int64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_photo_keeps_type_shape_and_known_values_of_arrays(dtype: Any, channels: int | None):
    values = noise(HEIGHT, WIDTH, *([] if channels is None else [channels]))
    array = values > 100 if dtype is np.bool_ else (values / 255).astype(dtype) if dtype(0.5) else values.astype(dtype)
    before = array.copy()
    result = filled(ArrayPhoto(array))
    assert (result.dtype, result.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(result[~HOLE], array[~HOLE])
    colour = {None: GREY, 1: GREY, 2: [GREY, 255], 3: COLOUR, 4: [*COLOUR, 255]}[channels]
    white = {np.bool_: 1, np.uint16: 65535}.get(dtype, 1 if dtype(0.5) else 255)
    wanted = np.array(colour) / 255 * white
    difference = np.abs(result[HOLE].astype(float) - wanted)
    assert difference.max() <= (0.7 if dtype is np.bool_ else 1e-3)


def test_photo_takes_no_notice_of_what_lies_under_the_hole():
    values = np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32)
    values[HOLE] = np.nan
    photo = ArrayPhoto(values)
    photo.look(HOLE)
    shown = photo.rgb((0, 0, WIDTH, HEIGHT))
    np.testing.assert_array_equal(shown[~HOLE][:, 0], (values[~HOLE].astype(np.float64) * 255).round())
    assert np.isfinite(filled(photo)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photo_with_exif_orientation_lies_as_it_is_stored(orientation: int):
    image = Image.fromarray(noise(HEIGHT, WIDTH, 3))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    stored = Image.open(buffer)
    photo = PillowPhoto(stored)
    hole = np.zeros((photo.height, photo.width), bool)
    hole[5:20, 10:30] = True
    colours = np.broadcast_to(COLOUR, (photo.height, photo.width, 3))
    result = photo.replaced(colours, hole, (0, 0, photo.width, photo.height))
    assert (result.size, result.getexif()[ORIENTATION]) == (stored.size, orientation)
    shown, before = np.asarray(ImageOps.exif_transpose(result)), np.asarray(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(shown[~hole], before[~hole])
    assert (shown[hole] == COLOUR).all()
    upright = PillowPhoto(stored, upright=True).replaced(colours, hole, (0, 0, photo.width, photo.height))
    assert upright.getexif().get(ORIENTATION, 1) == 1
    np.testing.assert_array_equal(np.asarray(upright), shown)


def test_photo_of_16_bits_is_shown_by_the_bits_and_the_black_of_its_file():
    values = np.minimum(noise(HEIGHT, WIDTH, dtype=np.uint16), 4095)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF")
    image: Any = Image.open(buffer)
    image.load()
    image.tag_v2[258], image.tag_v2[262] = (12,), 0  # 12 bits per sample, white is zero: Pillow writes no such file
    photo = PillowPhoto(image)
    np.testing.assert_array_equal(photo.rgb((0, 0, WIDTH, HEIGHT))[..., 0], (255 - values * (255 / 4095)).round())
    assert (np.asarray(filled(photo))[HOLE] == round(4095 - GREY * 4095 / 255)).all()


def test_photo_with_a_transparent_colour_fills_with_another_one():
    image = Image.fromarray(noise(HEIGHT, WIDTH, 3))
    image.info["transparency"] = tuple(COLOUR.tolist())
    result = np.asarray(filled(PillowPhoto(image)))
    assert (result[HOLE] == COLOUR - [0, 0, 0] + [0, 0, 1]).all()
    assert not PillowPhoto(filled(PillowPhoto(image))).transparent()[HOLE].any()  # type: ignore[index]


def test_photo_with_a_palette_fills_with_its_nearest_visible_entry():
    image = Image.new("P", (WIDTH, HEIGHT), 0)
    image.putpalette([0, 0, 0, *COLOUR.tolist(), 190, 60, 30, 0, 0, 255])
    assert (np.asarray(filled(PillowPhoto(image)))[HOLE] == 1).all()
    image.info["transparency"] = 1
    assert (np.asarray(filled(PillowPhoto(image)))[HOLE] == 2).all()


def test_photo_shows_transparency_over_white_and_finds_it():
    values = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    values[..., 3] = 255
    values[HOLE, 3] = 0
    for photo in (ArrayPhoto(values), PillowPhoto(Image.fromarray(values))):
        shown = photo.rgb((0, 0, WIDTH, HEIGHT))
        assert (shown[HOLE] == 255).all()
        assert (shown[~HOLE] == 0).all()
        np.testing.assert_array_equal(photo.transparent(), HOLE)


def test_photo_refuses_what_has_no_colours():
    with pytest.raises(BadImageError, match="convert the image to RGB"):
        PillowPhoto(Image.new("LAB", (3, 3)))
    for shape in ((3,), (2, 3, 5), (0, 3)):
        with pytest.raises(ValueError, match=r"an image is an array \(H, W\)"):
            ArrayPhoto(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="array of numbers"):
        ArrayPhoto(np.zeros((2, 2), "<U1"))
