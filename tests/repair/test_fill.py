"""What is promised of every fill, whatever the image: tried on 1,000 random ones with a filler in place of the network."""

import logging
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from maskgit_lab.core.pixels import HOLE_GREY
from maskgit_lab.repair.network import FilledSquares
from tests.support.photos import Case, Squares, random_case, stubbed, values_of

CASES, PER_TEST = 1_000, 50


def assert_kept(case: Case, result: Any) -> None:
    """The result has the kind, mode and size of the image, and its known values."""
    assert type(result) is type(case.image) or isinstance(result, Image.Image)
    if isinstance(case.image, Image.Image):
        assert (result.mode, result.size) == (case.image.mode, case.image.size)
    old, new = case.values, values_of(result)
    assert (new.shape, new.dtype) == (old.shape, old.dtype)
    assert (new[~case.hole] == old[~case.hole]).all()


@pytest.mark.parametrize("start", range(0, CASES, PER_TEST))
def test_fill_keeps_known_pixels_size_and_mode(start: int, monkeypatch: pytest.MonkeyPatch):
    squares = Squares()
    inpainter = stubbed(monkeypatch, squares)
    for seed in range(start, start + PER_TEST):
        case = random_case(seed)
        before = case.values.copy()
        filled = inpainter(case.image, case.hole)
        assert_kept(case, filled.composited)
        np.testing.assert_array_equal(case.values, before)
        own = case.hole.shape == (64, 64)
        assert bool(filled.crops[0]) == (own or bool(case.hole.any()))
        pasted = np.zeros_like(case.hole)
        for crop in filled.crops[0]:
            left, top, right, bottom = crop.part
            assert not (pasted[top:bottom, left:right] & crop.pasted).any()  # every pixel once
            pasted[top:bottom, left:right] |= crop.pasted
        np.testing.assert_array_equal(pasted, case.hole)
    assert squares.seen > 0


@pytest.mark.parametrize("seed", range(0, 60, 6))
def test_fill_does_not_depend_on_batch_or_order(seed: int, monkeypatch: pytest.MonkeyPatch):
    cases = [case for case in (random_case(seed + 7_000 + k) for k in range(6)) if case.hole.size < 10**6]
    images, holes = [case.image for case in cases], [case.hole for case in cases]
    together = stubbed(monkeypatch, Squares())(images, holes, num_samples=2).composited
    for i, case in enumerate(cases):
        by_itself = stubbed(monkeypatch, Squares())(case.image, case.hole, num_samples=2, first=i).composited
        for sample in range(2):
            np.testing.assert_array_equal(values_of(by_itself[sample]), values_of(together[sample][i]))
    unnumbered = stubbed(monkeypatch, Squares(numbered=False))
    forward, backward = unnumbered(images, holes).composited, unnumbered(images[::-1], holes[::-1]).composited
    for one, other in zip(forward, backward[::-1], strict=True):
        np.testing.assert_array_equal(values_of(one), values_of(other))


@pytest.mark.parametrize("seed", range(20))
def test_fill_takes_no_notice_of_what_lies_under_the_hole(seed: int, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*rng.integers(1, 400, 2), 3), np.uint8)
    hole = np.zeros(image.shape[:2], bool)
    hole[: rng.integers(1, 1 + len(image)), : rng.integers(1, 1 + image.shape[1])] = True
    painted = image.copy()
    painted[hole] = rng.integers(0, 256, (int(hole.sum()), 3), np.uint8)
    inpainter = stubbed(monkeypatch, Squares())
    np.testing.assert_array_equal(inpainter(image, hole).composited, inpainter(painted, hole).composited)


def test_fill_of_nothing_is_the_image_and_of_everything_is_none_of_it(monkeypatch: pytest.MonkeyPatch):
    inpainter = stubbed(monkeypatch, Squares())
    image = np.full((90, 130, 3), 50, np.uint8)
    np.testing.assert_array_equal(inpainter(image, np.zeros((90, 130), bool)).composited, image)
    assert (inpainter(image, np.ones((90, 130), bool)).composited != 50).all()


class Copies(Squares):
    """Give back what the image is in the part that is known, and its nearest known colour elsewhere: here, one colour."""

    def __call__(self, images: np.ndarray, holes: np.ndarray, *args: Any, **kwargs: Any) -> list[FilledSquares]:
        filled = np.stack([
            np.where(hole[..., None], np.median(image[~hole], 0).astype(np.uint8) if (~hole).any() else np.uint8(HOLE_GREY), image)
            for image, hole in zip(images, holes, strict=True)
        ])  # fmt: skip
        nothing = np.empty((0, *filled.shape), np.uint8), np.empty((0, len(filled), 8, 8), bool)
        return [FilledSquares(filled, np.ones((len(filled), 8, 8), np.float32), *nothing)]


@pytest.mark.parametrize(
    "box",
    [(100, 100, 900, 700), (0, 0, 1000, 400), (480, 0, 500, 800), (0, 0, 300, 300), (60, 60, 940, 740), (700, 500, 1000, 800)],
)
def test_fill_of_a_flat_image_is_flat(box: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch):
    image = np.full((800, 1000, 3), (40, 90, 200), np.uint8)
    hole = np.zeros((800, 1000), bool)
    hole[box[1] : box[3], box[0] : box[2]] = True
    scratched = np.where(hole[..., None], np.uint8(255), image)
    np.testing.assert_array_equal(stubbed(monkeypatch, Copies())(scratched, hole).composited, image)


def test_fill_outpaints_a_larger_canvas(monkeypatch: pytest.MonkeyPatch):
    image = np.full((200, 300, 3), (40, 90, 200), np.uint8)
    filled = stubbed(monkeypatch, Copies())(image, expand=(30, 0, 50, 120))
    assert filled.composited.shape == (320, 380, 3)
    assert (filled.composited == (40, 90, 200)).all()
    with pytest.raises(ValueError, match="expand must be at least 0"):
        stubbed(monkeypatch, Copies())(image, expand=(-1, 0, 0, 0))


def test_fill_matches_the_tones_of_what_is_known(monkeypatch: pytest.MonkeyPatch):
    class Dark(Copies):
        def __call__(self, *args: Any, **kwargs: Any) -> list[FilledSquares]:
            (made,) = super().__call__(*args, **kwargs)
            return [FilledSquares(made.decoded // 2, made.confidence, made.step_images, made.step_masks)]

    image = np.random.default_rng(0).integers(100, 120, (300, 300, 3), np.uint8)
    hole = np.zeros((300, 300), bool)
    hole[100:160, 100:160] = True
    inpainter = stubbed(monkeypatch, Dark())
    assert inpainter(image, hole, seamless=False).composited[hole].mean() < 60
    matched = inpainter(image, hole, seamless=False, match_histogram=True)
    for filled in (matched, inpainter(image, hole)):
        assert 105 < filled.composited[hole].mean() < 115


@pytest.mark.parametrize("strategy", ["crop", "resize", "original"])
def test_fill_of_the_networks_resolution_is_one_crop(strategy: str, monkeypatch: pytest.MonkeyPatch):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    hole = np.zeros((64, 64), bool)
    hole[5:9, 5:9] = hole[40:60, 40:60] = True
    filled = stubbed(monkeypatch, Squares())(image, hole, strategy=strategy)
    (crop,) = filled.crops[0]
    assert crop.box == (0, 0, 64)
    np.testing.assert_array_equal(crop.image, image)
    np.testing.assert_array_equal(crop.hole, hole)
    np.testing.assert_array_equal(filled.composited, np.where(hole[..., None], crop.decoded[0], image))


def test_strategies_of_other_sizes(monkeypatch: pytest.MonkeyPatch):
    inpainter = stubbed(monkeypatch, Squares())
    image, hole = np.zeros((200, 500, 3), np.uint8), np.zeros((200, 500), bool)
    hole[20:40, 30:50] = True
    assert [crop.box for crop in inpainter(image, hole, strategy="resize").crops[0]] == [(0, -150, 500)]
    assert inpainter(image, hole).crops[0][0].box[2] == 64
    with pytest.raises(ValueError, match="strategy=original takes images of 64x64 pixels, got 500x200"):
        inpainter(image, hole, strategy="original")
    with pytest.raises(ValueError, match="strategy must be one of crop, resize, original"):
        inpainter(image, hole, strategy="whole")


def test_fill_warns_once_of_a_large_enlargement(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    inpainter = stubbed(monkeypatch, Squares())
    image, hole = np.zeros((900, 900, 3), np.uint8), np.zeros((900, 900), bool)
    hole[300:500, 300:500] = hole[700:880, 700:880] = True
    with caplog.at_level(logging.WARNING, "maskgit_lab"):
        inpainter([image] * 3, [hole] * 3)
    assert [record.message.partition(" times")[0] for record in caplog.records] == [
        "A fill of 64x64 pixels is enlarged 7.5 times".partition(" times")[0]
    ]


def test_fill_gives_the_kind_that_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    inpainter = stubbed(monkeypatch, Squares())
    image, hole = np.zeros((2, 30, 40, 3), np.uint8), np.ones((2, 30, 40), bool)
    assert inpainter(image, hole).composited.shape == (2, 30, 40, 3)
    assert inpainter(torch.from_numpy(image), torch.from_numpy(hole)).composited.shape == (2, 30, 40, 3)
    assert [made.size for made in inpainter(image, hole, output="pil").composited] == [(40, 30)] * 2
    assert isinstance(inpainter(image, hole, output="torch").composited, torch.Tensor)
    assert inpainter(Image.fromarray(image[0]), hole[0], output="numpy").composited.shape == (30, 40, 3)
    assert [len(sample) for sample in inpainter(list(image), list(hole), num_samples=3).composited] == [2, 2, 2]
    channels_first = torch.zeros(3, 30, 40)
    assert inpainter(channels_first, hole[0]).composited.shape == (3, 30, 40)
    with pytest.raises(ValueError, match="output must be one of pil, numpy, torch"):
        inpainter(image, hole, output="jpeg")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3000, 2000), (2, 3000)])
def test_fill_takes_the_smallest_and_the_largest_images(width: int, height: int, monkeypatch: pytest.MonkeyPatch):
    image = np.full((height, width, 3), (40, 90, 200), np.uint8)
    hole = np.zeros((height, width), bool)
    hole[height // 2 : height // 2 + 300, width // 2 : width // 2 + 300] = True
    filled = stubbed(monkeypatch, Copies())(image, hole).composited
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    if min(width, height) > 1:
        np.testing.assert_array_equal(filled, image)
