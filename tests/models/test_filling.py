"""Filling holes: known pixels stay, hidden ones have no influence, batches change nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.models.filling import Fill, fill_holes
from tests.support.builders import boxes, model, pictures, tokenizer

pytestmark = pytest.mark.processor
SPEEDS = pytest.mark.parametrize("speed", ["fast", "plain"])


def fill(images: Tensor, holes: Tensor, *, first: int = 0, context: bool = True, speed: str = "fast", **changes: Any) -> Fill:
    settings: dict[str, Any] = {"schedule": Cosine(), "num_steps": 5, **changes}
    return fill_holes(
        model(context=context, speed=speed).eval(), tokenizer(), images, holes, settings=DecodeSettings(**settings),
        generators=image_generators(0, "decode", range(first, first + len(images))),
    )  # fmt: skip


@pytest.fixture
def images() -> Tensor:
    return torch.from_numpy(pictures(6))


@pytest.fixture
def holes() -> Tensor:
    return torch.from_numpy(boxes(6))


def test_fill_holes_keeps_known_pixels_in_the_composite(images: Tensor, holes: Tensor):
    result = fill(images, holes)
    assert torch.equal(result.composited[~holes], images[~holes])
    assert torch.equal(result.composited[holes], result.decoded[holes])
    assert result.decoded.dtype == torch.uint8


@SPEEDS
@pytest.mark.parametrize("context", [True, False])
def test_fill_holes_ignores_pixels_under_the_hole(images: Tensor, holes: Tensor, context: bool, speed: str):
    garbled = images.clone()
    garbled[holes] = 255 - garbled[holes]
    filled, again = (fill(given, holes, context=context, speed=speed).decoded for given in (images, garbled))
    assert torch.equal(filled, again)


@SPEEDS
def test_fill_holes_changes_tokens_of_touched_cells_only(images: Tensor, holes: Tensor, speed: str):
    result = fill(images, holes, speed=speed)
    assert torch.equal(result.mask, token_mask(holes, grid=8))
    grey = images.masked_fill(holes[..., None], 128)
    assert torch.equal(result.tokens[~result.mask], tokenizer().encode(grey)[~result.mask])
    assert (result.tokens < 16).all()  # never the mask token


def test_fill_holes_hides_more_tokens_with_dilation(images: Tensor, holes: Tensor):
    assert (fill(images, holes, mask_dilation=1).mask.sum(1) > fill(images, holes).mask.sum(1)).all()


@SPEEDS
def test_fill_holes_does_not_depend_on_the_batch(images: Tensor, holes: Tensor, speed: str):
    together = fill(images, holes, speed=speed).decoded
    apart = [fill(images[i : i + 1], holes[i : i + 1], first=i, speed=speed).decoded for i in range(len(images))]
    assert torch.equal(together, torch.cat(apart))


def test_fill_holes_refuses_partial_refresh_of_a_plain_model_by_its_key(images: Tensor, holes: Tensor):
    with pytest.raises(ValueError, match=r"decode\.refresh_every=2 needs speed=fast"):
        fill(images, holes, speed="plain", refresh_every=2)


@SPEEDS
def test_fill_holes_stops_early_at_a_sweet_spot(images: Tensor, holes: Tensor, speed: str):
    whole, early = fill(images, holes, speed=speed), fill(images, holes, speed=speed, sweet_spot=2)
    assert len(early.trace.step_tokens) == 2
    assert torch.equal(early.trace.step_tokens, whole.trace.step_tokens[:2])
    assert torch.equal(early.tokens, whole.trace.step_tokens[1])


def test_fill_holes_blends_inside_the_hole_only(images: Tensor, holes: Tensor):
    hard, soft = fill(images, holes), fill(images, holes, mask_blend_pixels=2)
    assert torch.equal(soft.decoded, hard.decoded)
    assert torch.equal(soft.composited[~holes], images[~holes])
    assert not torch.equal(soft.composited, hard.composited)
