"""Files from a page: every kind is read upright, what is none gives a sentence, sizes are bounded."""

import io

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.web.answers import RefusedError
from maskgit_lab.web.uploads import (
    MAX_VIEW,
    hole_png,
    painted_hole,
    png,
    read_image,
    read_mask,
    scaled_hole,
    transparent_hole,
    view,
    view_size,
)  # fmt: skip
from tests.support.page_requests import box_hole, file_of, noise, painted

PIXELS = 10_000


def read(image: Image.Image, kind: str = "PNG", **save: object) -> Image.Image:
    return read_image(file_of(image, kind, **save), "a.png", max_pixels=PIXELS).image


@pytest.mark.parametrize(("mode", "kept"), [("RGB", "RGB"), ("RGBA", "RGBA"), ("L", "L"), ("LA", "LA"), ("1", "L"), ("P", "RGB")])
def test_uploads_keep_the_pixels_of_what_png_holds(mode: str, kept: str):
    given = noise(9, 7, mode="RGB").convert(mode) if mode in ("P", "1") else noise(9, 7, mode=mode)
    found = read(given)
    assert found.mode == kept
    assert np.array_equal(np.asarray(found), np.asarray(given.convert(kept)))


def test_uploads_keep_sixteen_bits():
    values = np.random.default_rng(0).integers(0, 65536, (5, 6), dtype=np.uint16)
    found = read(Image.fromarray(values))
    assert np.array_equal(np.asarray(found), values)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(found)))), values)


def test_uploads_turn_images_upright_once():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    found = read(noise(8, 4), "JPEG", exif=exif)
    assert found.size == (4, 8)
    assert found.getexif().get(0x0112) is None


def test_uploads_make_print_colours_rgb():
    assert read(noise(8, 4, mode="CMYK"), "JPEG").mode == "RGB"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a readable image"), (b"hello, I am a text", "not a readable image"), (file_of(noise(200, 100)), "max_pixels"),
        (file_of(noise(20, 10))[:60], "not a readable image"), (b"\0\0\0\x18ftypheic" + b"\0" * 40, "HEIC"),
    ],
)  # fmt: skip
def test_uploads_that_are_no_image_give_a_sentence_with_their_name(content: bytes, said: str):
    with pytest.raises(RefusedError, match=said) as caught:
        read_image(content, "a/b/my <b>photo</b>\x1b.png", max_pixels=PIXELS)
    assert str(caught.value).startswith("b>?.png cannot be opened: ")
    assert "/tmp" not in str(caught.value)


def test_masks_are_read_in_the_size_in_which_their_image_is_shown():
    hole = box_hole(40, 20, (3, 4, 9, 11))
    content = file_of(Image.fromarray(hole))
    assert np.array_equal(read_mask(content, "m.png", size=(40, 20), max_pixels=PIXELS), hole)
    half = read_mask(content, "m.png", size=(20, 10), max_pixels=PIXELS)
    assert np.array_equal(half, box_hole(20, 10, (1, 2, 5, 6)))  # a pixel of hole makes one of hole


@pytest.mark.parametrize(
    ("image", "said"), [(noise(40, 20), "is no mask"), (Image.new("1", (20, 40)), "other proportions than the image")]
)
def test_masks_that_fit_nothing_give_a_sentence(image: Image.Image, said: str):
    with pytest.raises(RefusedError, match=said):
        read_mask(file_of(image), "m.png", size=(40, 20), max_pixels=PIXELS)


def test_painted_hole_is_what_is_opaque():
    hole = box_hole(12, 9, (2, 3, 5, 6))
    assert np.array_equal(painted_hole(painted(hole), size=(12, 9)), hole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no PNG"), ("$$$", "no PNG"), ("aGVsbG8=", "no PNG"), (7, "no PNG"), ([], "no PNG"),
        (painted(box_hole(9, 12, (0, 0, 2, 2))), "has 9 x 12 pixels, the image 12 x 9"),
        (painted(box_hole(12, 9, (0, 0, 0, 0))), "Nothing is painted"),
    ],
)  # fmt: skip
def test_painted_holes_of_no_use_give_a_sentence(text: object, said: str):
    with pytest.raises(RefusedError, match=said):
        painted_hole(text, size=(12, 9))


def test_scaled_holes_cover_all_of_the_hole():
    hole = box_hole(10, 10, (3, 3, 4, 4))
    assert scaled_hole(hole, (30, 30))[9:12, 9:12].all()
    assert scaled_hole(hole, (30, 30)).sum() == 9
    assert scaled_hole(hole, (5, 5)).sum() == 1


def test_view_shows_long_images_scaled_and_all_others_as_they_are():
    assert view_size(Image.new("L", (640, 480))) == (640, 480)
    assert view_size(Image.new("1", (2 * MAX_VIEW, 10))) == (MAX_VIEW, 5)
    assert view_size(Image.new("1", (100 * MAX_VIEW, 10))) == (MAX_VIEW, 1)
    assert view(noise(30, 20))[1] == "image/png"
    assert view(Image.new("RGB", (MAX_VIEW, MAX_VIEW)))[1] == "image/jpeg"
    assert view(Image.new("RGBA", (2 * MAX_VIEW, MAX_VIEW)))[1] == "image/png"


def test_transparent_hole_is_what_is_transparent():
    image = noise(8, 8, mode="RGBA")
    image.putalpha(Image.fromarray((~box_hole(8, 8, (1, 1, 4, 5))).astype(np.uint8) * 255))
    hole = transparent_hole(image)
    assert hole is not None
    assert np.array_equal(hole, box_hole(8, 8, (1, 1, 4, 5)))
    assert transparent_hole(noise(8, 8)) is None
    image.putalpha(255)
    assert transparent_hole(image) is None
    assert hole_png(hole).startswith(b"\x89PNG")
