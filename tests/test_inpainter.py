"""The Python API with a very small trained run: images of any kind, crops, steps, other settings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from maskgit_lab.core.policies.halton import Halton
from maskgit_lab.core.schedules import Linear
from maskgit_lab.data.image_opening import ORIENTATION
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.repair.watching import FillNow
from tests.support.builders import boxes, pictures

RUN = Path(__file__).parent / "fixtures" / "run"
R = 64


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    return Inpainter.from_run(RUN, device="cpu")


def photo(width: int = 300, height: int = 200) -> np.ndarray:
    return np.asarray(Image.fromarray(pictures(1)[0]).resize((width, height), Image.Resampling.BICUBIC))


def hole_in(image: np.ndarray, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    hole = np.zeros(image.shape[:2], bool)
    for left, top, right, bottom in boxes or ((40, 50, 90, 100),):
        hole[top:bottom, left:right] = True
    return hole


def test_inpainter_that_is_watched_tells_of_every_pass_and_ends_by_what_is_raised(inpainter: Inpainter):
    told: list[FillNow] = []
    image = photo()
    quick = inpainter.with_decode(num_steps=3)
    filled = quick.watched(told.append)(image, hole_in(image), num_samples=2)
    assert [(now.candidate, now.number, now.of, now.step) for now in told] == [(k, t, 3, t) for k in (0, 1) for t in (1, 2, 3)]
    plain = quick(image, hole_in(image), num_samples=2)
    assert all(np.array_equal(one, other) for one, other in zip(filled.composited, plain.composited, strict=True))

    def end(now: FillNow) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        inpainter.watched(end)(image, hole_in(image))


def test_inpainter_that_is_watched_shows_the_steps_that_it_keeps(inpainter: Inpainter, monkeypatch: pytest.MonkeyPatch):
    """Two holes, one of them in pieces: what was seen of a crop is what the result says, and no step is decoded again for it."""
    image, decoded = photo(), 0
    hole = hole_in(image, (10, 20, 40, 50), (100, 5, 290, 195))
    seen: dict[tuple[int, int, int], Any] = {}

    def see(now: FillNow) -> None:
        for crop in now.crops:
            assert crop.image == 1
            seen[now.candidate, crop.number, now.number] = crop, crop.decoded()

    pixels = type(inpainter.filler).pixels

    def counted(*given: Any) -> Any:
        nonlocal decoded
        decoded += len(given[1])
        return pixels(*given)

    monkeypatch.setattr(type(inpainter.filler), "pixels", counted)
    quick = inpainter.with_decode(num_steps=3, token_temperature=1.0).watched(see)
    filled = quick([image, image], [np.zeros_like(hole), hole], num_samples=2, steps=True)
    crops = filled.crops[1]
    assert len(crops) > 3
    assert decoded == 3 * 2 * len(crops)
    assert set(seen) == {(k, n, t) for k in range(2) for n in range(len(crops)) for t in range(1, 4)}
    for (k, n, t), (now, images) in seen.items():
        crop = crops[n]
        assert (now.box, now.part) == (crop.box, crop.part)
        np.testing.assert_array_equal(now.pasted, crop.pasted)
        np.testing.assert_array_equal(now.hidden, crop.step_masks[k, t - 1])
        np.testing.assert_array_equal(now.confidence[~now.hidden], crop.confidence[k][~now.hidden])
        np.testing.assert_array_equal(images, crop.step_images[k, t - 1])


def test_inpainter_gives_the_pixels_of_its_networks_at_their_resolution(inpainter: Inpainter):
    images, holes = pictures(3, resolution=R), boxes(3, resolution=R)
    filled = inpainter(images, holes, steps=True, first=2)
    fill = inpainter.filler.fill(images, holes, range(2, 5))
    np.testing.assert_array_equal(filled.composited, fill.composited.numpy())
    np.testing.assert_array_equal(filled.decoded, fill.decoded.numpy())
    np.testing.assert_array_equal(filled.step_masks.reshape(*fill.trace.step_masks.shape), fill.trace.step_masks.numpy())
    assert filled.step_images.shape == (7, 3, R, R, 3)
    np.testing.assert_array_equal(filled.step_images[-1], filled.decoded)


def test_inpainter_crops_say_what_the_network_saw_and_made(inpainter: Inpainter):
    image = photo()
    hole = hole_in(image, (40, 50, 90, 100), (200, 20, 204, 24))
    filled = inpainter(image, hole, num_samples=2, steps=True)
    assert sorted(crop.box[2] for crop in filled.crops[0]) == [R, 120]
    for crop in filled.crops[0]:
        assert crop.image.shape == (R, R, 3)
        assert crop.hole.shape == (R, R)
        assert crop.decoded.shape == (2, R, R, 3)
        assert crop.step_images.shape == (2, 7, R, R, 3)
        assert crop.step_masks.shape == (2, 7, 16, 16)
        hidden = crop.hole.reshape(16, 4, 16, 4).any((1, 3))
        assert crop.confidence.dtype == np.float32
        assert (crop.confidence[:, ~hidden] == 1).all()
        assert ((crop.confidence[:, hidden] > 0) & (crop.confidence[:, hidden] < 1)).all()


def test_inpainter_candidates_differ_and_more_change_none(inpainter: Inpainter):
    sampling = inpainter.with_decode(token_temperature=2.0)
    image = photo()
    hole = hole_in(image, (40, 50, 90, 100), (200, 20, 204, 24))
    two, three = (sampling(image, hole, num_samples=count).composited for count in (2, 3))
    for one, other in zip(two, three, strict=False):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(three[0], three[1])
    np.testing.assert_array_equal(sampling(image, hole).composited, two[0])
    assert not np.array_equal(sampling(image, hole, seed=5).composited, two[0])


@pytest.mark.parametrize("box", [(40, 50, 90, 100), (5, 5, 145, 95)], ids=["one square", "pieces"])
def test_inpainter_does_not_depend_on_the_batch(box: tuple[int, int, int, int], inpainter: Inpainter):
    images = [photo(150, 100), photo(170, 260), photo(90, 33)]
    holes = [hole_in(image, box) for image in images]
    together = inpainter(images, holes)
    for i in range(3):
        np.testing.assert_array_equal(inpainter(images[i], holes[i], first=i).composited, together.composited[i])


def test_inpainter_candidates_of_pieces_are_apart(inpainter: Inpainter):
    sampling = inpainter.with_decode(token_temperature=2.0, num_steps=2)
    image = photo(150, 100)
    hole = hole_in(image, (10, 10, 140, 90))
    filled = sampling(image, hole, num_samples=2)
    assert len(filled.crops[0]) > 1
    np.testing.assert_array_equal(sampling(image, hole).composited, filled.composited[0])
    assert not np.array_equal(filled.composited[0], filled.composited[1])


def test_inpainter_reveals_as_many_frames_as_steps_and_ends_with_the_result(inpainter: Inpainter):
    image = photo(150, 100)
    hole = hole_in(image, (10, 10, 140, 90))
    filled = inpainter(image, hole, steps=True)
    frames = filled.reveal()
    assert len(frames) == 7
    np.testing.assert_array_equal(frames[-1], filled.composited)
    grey = [int((frame[hole] == 128).all(-1).sum()) for frame in frames]
    assert grey == sorted(grey, reverse=True)
    assert grey[0] > grey[-1]
    for frame in frames:
        np.testing.assert_array_equal(frame[~hole], image[~hole])
    with pytest.raises(ValueError, match="kept no steps"):
        inpainter(image, hole).reveal()


def test_inpainter_takes_other_settings_by_the_names_of_the_configuration(inpainter: Inpainter):
    other = inpainter.with_decode(num_steps=3, sweet_spot=2, policy="halton", mask_schedule="linear", mask_blend_pixels=2)
    settings = other.filler.settings
    assert (settings.num_steps, settings.sweet_spot, settings.mask_blend_pixels) == (3, 2, 2)
    assert isinstance(settings.policy, Halton)
    assert isinstance(settings.schedule, Linear)
    assert other.filler.model is inpainter.filler.model
    assert inpainter.filler.settings.num_steps == 7
    assert len(other(photo(), hole_in(photo()), steps=True).reveal()) == 2
    for changes, match in (
        ({"num_steps": 0}, "decode.num_steps must be at least 1"),
        ({"policy": "haltn"}, "decode.policy must be one of confidence"),
        ({"steps": 3}, "decode.steps is not known; there are"),
    ):
        with pytest.raises(ValueError, match=match):
            inpainter.with_decode(**changes)


@pytest.mark.parametrize("kind", ["path", "pillow", "array", "numbers", "tensor"])
def test_inpainter_takes_masks_of_every_kind(kind: str, inpainter: Inpainter, tmp_path: Path):
    image = photo()
    hole = hole_in(image)
    mask: Any = Image.fromarray(hole.astype(np.uint8) * 255)
    mask.save(tmp_path / "mask.png")
    mask = {
        "path": str(tmp_path / "mask.png"), "pillow": mask, "array": np.asarray(mask), "numbers": hole.astype(np.float32),
        "tensor": torch.from_numpy(hole)[None],
    }[kind]  # fmt: skip
    np.testing.assert_array_equal(inpainter(image, mask).composited, inpainter(image, hole).composited)


def test_inpainter_takes_the_transparent_part_for_the_hole(inpainter: Inpainter):
    image = photo()
    hole = hole_in(image)
    cut_out = Image.fromarray(np.dstack([image, np.where(hole, 0, 255).astype(np.uint8)]))
    filled = np.asarray(inpainter(cut_out).composited)
    np.testing.assert_array_equal(filled[..., :3], inpainter(image, hole).composited)
    assert (filled[..., 3] == 255).all()
    with pytest.raises(ValueError, match="image 0 has no transparency that could be its hole: give masks"):
        inpainter(image)


def test_inpainter_gives_photos_from_files_upright(inpainter: Inpainter, tmp_path: Path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(photo()).save(tmp_path / "phone.png", exif=exif)
    upright = np.rot90(photo(), -1)
    hole = hole_in(upright)
    result = inpainter(tmp_path / "phone.png", hole).composited
    assert (result.size, result.getexif().get(ORIENTATION, 1)) == ((200, 300), 1)
    np.testing.assert_array_equal(np.asarray(result)[~hole], upright[~hole])


def test_inpainter_outpaints(inpainter: Inpainter):
    image = photo(200, 150)
    filled = inpainter(image, expand=(20, 30, 40, 0)).composited
    assert filled.shape == (180, 260, 3)
    np.testing.assert_array_equal(filled[30:, 20:220], image)


@pytest.mark.parametrize(
    ("images", "masks", "match"),
    [
        (np.zeros((5, 6, 7), np.uint8), None, r"image 0: an image is an array \(H, W\)"),
        (object(), None, "image 0 is of type object; give an array"),
        ("nowhere.png", None, r"image 0 \(nowhere.png\): no such file"),
        (photo(), np.zeros((3, 4), bool), "mask 0 has 4x3 pixels, but its image, as a viewer shows it, 300x200"),
        ([photo(), photo()], [np.zeros((200, 300), bool)], "2 images and 1 masks"),
        (photo(), np.full((200, 300), np.nan), "mask 0: it has values that are not finite"),
        (photo(), np.zeros((200, 300, 5)), r"mask 0: a mask is \(H, W\)"),
        (np.zeros((4, 4, 3), complex), None, "array of numbers"),
    ],
)
def test_inpainter_names_what_it_cannot_use(images: Any, masks: Any, match: str, inpainter: Inpainter):
    with pytest.raises(ValueError, match=match):
        inpainter(images, masks)


def test_inpainter_checks_its_numbers(inpainter: Inpainter):
    image = photo()
    for changes, match in (
        ({"num_samples": 0}, "num_samples must be at least 1"), ({"seed": -1}, "seed must be at least 0"),
        ({"expand": (1, 2)}, "expand must be four numbers"), ({"output": "gif"}, "output must be one of"),
        ({"strategy": "whole"}, "strategy must be one of"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            inpainter(image, hole_in(image), **changes)
