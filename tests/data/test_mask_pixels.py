"""One hole, saved in every way that editors and segmenters do, is the same hole; what could be two is refused."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from maskgit_lab.data.image_opening import BadImageError
from maskgit_lab.data.mask_pixels import BY_COLOUR, BY_ERASED, BY_PAINT, hole_pixels
from tests.support.builders import pictures

HOLE = np.zeros((64, 64), bool)
HOLE[16:40, 20:44] = True
H = HOLE.astype(np.uint8)
BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


def layers(paint: tuple[int, int, int], paint_alpha: int, rest: tuple[int, int, int], rest_alpha: int) -> Image.Image:
    out = np.empty((64, 64, 4), np.uint8)
    out[...] = (*rest, rest_alpha)
    out[HOLE] = (*paint, paint_alpha)
    return Image.fromarray(out)


def colours(paint: tuple[int, int, int], rest: tuple[int, int, int]) -> Image.Image:
    return Image.fromarray(np.where(HOLE[..., None], np.array(paint, np.uint8), np.array(rest, np.uint8)))


def palette(*entries: tuple[int, int, int], labels: np.ndarray = H) -> Image.Image:
    image = Image.fromarray(labels).convert("P")
    image.putpalette([value for entry in entries for value in entry] + [0] * (768 - 3 * len(entries)))
    return image


def photo(alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([pictures(1, resolution=64)[0], alpha]))


def drawn() -> Image.Image:
    """Return a hole with the soft edges of a brush: larger, then shrunk."""
    image = Image.new("L", (512, 512))
    ImageDraw.Draw(image).ellipse((100, 120, 400, 380), fill=255)
    return image.resize((64, 64), Image.Resampling.LANCZOS)


def read(image: Image.Image, *, kind: str = "PNG", hole: str = "white", **save: Any) -> tuple[np.ndarray, str | None]:
    buffer = io.BytesIO()
    image.save(buffer, kind, **save)
    with Image.open(buffer) as stored:
        return hole_pixels(stored, hole=hole)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Image.fromarray(H * 255), None),
        (lambda: Image.fromarray(HOLE), None),
        (lambda: Image.fromarray(H), None),
        (lambda: Image.fromarray(H * 128), None),
        (lambda: Image.fromarray(H.astype(np.uint16) * 65535), None),
        (lambda: Image.fromarray(H.astype(np.uint16)), None),
        (lambda: palette(BLACK, (128, 0, 0)), BY_COLOUR),
        (lambda: palette(BLACK, (0, 0, 64)), BY_COLOUR),
        (lambda: palette(WHITE, BLACK, labels=1 - H), None),
        (lambda: colours(RED, BLACK), BY_COLOUR),
        (lambda: colours(WHITE, BLACK), None),
        (lambda: layers(WHITE, 255, BLACK, 0), BY_PAINT),
        (lambda: layers(BLACK, 255, BLACK, 0), BY_PAINT),
        (lambda: layers(WHITE, 255, WHITE, 0), BY_PAINT),
        (lambda: layers(RED, 255, BLACK, 0), BY_PAINT),
        (lambda: layers(RED, 128, BLACK, 0), BY_PAINT),
        (lambda: layers(WHITE, 0, WHITE, 255), BY_ERASED),
        (lambda: layers(BLACK, 0, RED, 255), BY_ERASED),
        (lambda: photo(255 - H * 255), BY_ERASED),
        (lambda: layers(WHITE, 255, BLACK, 255), None),
        (lambda: layers(WHITE, 255, BLACK, 0).convert("LA"), BY_PAINT),
    ],
)  # fmt: skip
def test_hole_pixels_reads_the_same_hole_however_it_was_saved(make: Callable[[], Image.Image], rule: str | None):
    hole, found = read(make())
    np.testing.assert_array_equal(hole, HOLE)
    assert found == rule


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_hole_pixels_reads_labels_of_32_bits(dtype: type):
    np.testing.assert_array_equal(read(Image.fromarray(H.astype(dtype)), kind="TIFF")[0], HOLE)


def test_hole_pixels_of_a_photo_with_most_of_it_cut_out_are_what_was_cut_out():
    hole, _ = read(photo(H * 255))
    np.testing.assert_array_equal(hole, ~HOLE)


@pytest.mark.parametrize("image", [Image.fromarray(255 - H * 255), colours(BLACK, WHITE), colours(BLACK, RED)])
def test_hole_pixels_are_black_where_that_is_said(image: Image.Image):
    np.testing.assert_array_equal(read(image, hole="black")[0], HOLE)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_hole_pixels_has_no_trouble_with_soft_edges_and_compression(kind: str):
    hole, rule = read(drawn(), kind=kind)
    assert (hole != (np.asarray(drawn()) >= 128)).mean() < 0.01
    assert rule is None
    red = Image.merge("RGB", (drawn(), Image.new("L", (64, 64)), Image.new("L", (64, 64))))
    assert (read(red, kind=kind)[0] != hole).mean() < 0.03


def test_hole_pixels_of_soft_paint_on_transparency():
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((0, 200, 0), mask=drawn())
    image.putalpha(drawn())
    np.testing.assert_array_equal(read(image)[0], np.asarray(drawn()) >= 128)


@pytest.mark.parametrize(
    "image", [Image.fromarray(H * 255), Image.fromarray(H.astype(np.uint16) * 65535), layers(RED, 255, BLACK, 0)]
)
def test_hole_pixels_are_upright(image: Image.Image):
    exif = Image.Exif()
    exif[0x0112] = 6
    np.testing.assert_array_equal(read(image.rotate(90), exif=exif)[0], HOLE)


@pytest.mark.parametrize(("value", "expected"), [(0, False), (255, True)])
def test_hole_pixels_may_be_none_or_all(value: int, expected: bool):
    assert (read(Image.new("L", (64, 64), value))[0] == expected).all()


STRIPES = np.arange(64)[None].repeat(64, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Image.new("L", (64, 64), 128), "every pixel has the value 128, neither black nor white"),
        (lambda: Image.new("L", (64, 64), 1), "every pixel has the value 1"),
        (lambda: Image.fromarray(H * 127 + 128), "only the values 128 and 255"),
        (lambda: Image.fromarray((H + (STRIPES > 50) * 2).astype(np.uint8)), "values from 0 to 2, not black and white"),
        (lambda: Image.fromarray((H * 255 + (STRIPES > 50) * 15).astype(np.uint8)), "of one grey: labels"),
        (lambda: Image.fromarray((H * 255 + (STRIPES > 50)).astype(np.uint8)), "of one grey: labels"),
        (lambda: Image.fromarray((H * 255 + (STRIPES > 50) * 128).astype(np.uint8)), "of one grey: labels"),
        (lambda: Image.fromarray(pictures(1, resolution=64)[0]).convert("L"), "not black and white|are grey|of one grey"),
        (lambda: Image.fromarray(pictures(1, resolution=64)[0]), "several colours"),
        (lambda: colours(RED, WHITE), "coloured, with no black|several colours"),
        (lambda: colours(RED, (0, 0, 255)), "several colours|no black"),
        (lambda: palette(BLACK, (128, 0, 0), (224, 224, 192), labels=(H + (STRIPES > 50) * 2).astype(np.uint8)), "several colours"),
        (lambda: layers(WHITE, 0, WHITE, 0), "wholly transparent"),
        (lambda: layers(WHITE, 255, WHITE, 128), "its transparency: only the values 128 and 255"),
        (lambda: Image.fromarray(np.dstack([STRIPES * 0] * 3 + [(STRIPES < 32) * 255]).astype(np.uint8)), "50% painted"),
        (
            lambda: Image.fromarray(np.dstack([(STRIPES % 2) * 255] * 3 + [(STRIPES < 50) * 255]).astype(np.uint8)),
            "black, white and transparent",
        ),
    ],
)  # fmt: skip
def test_hole_pixels_refuses_what_could_mean_two_things(make: Callable[[], Image.Image], message: str):
    with pytest.raises(BadImageError, match=message):
        read(make())


@pytest.mark.parametrize("image", [layers(WHITE, 255, BLACK, 0), layers(BLACK, 0, BLACK, 255)])
def test_hole_pixels_refuses_a_transparency_that_contradicts_the_colour_of_the_hole(image: Image.Image):
    with pytest.raises(BadImageError, match="on transparency, but mask_hole=black"):
        read(image, hole="black")
