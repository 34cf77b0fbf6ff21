"""Fill the holes of pictures: encode, hide, decode along the schedule, turn tokens into pixels, put the known pixels back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodeTrace, Predictor, checked_stop, decode_hidden
from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.positions import Positions
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.models.hidden_prediction import FirstStep, HiddenPrediction, RefreshedPrediction
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.projection import weights_fixed
from maskgit_lab.models.tokenizer import FrozenTokenizer

HOLE_GREY = 128  # what the pixels of a hole are set to before encoding (lab protocol)


@dataclass(frozen=True)
class DecodeSettings:
    """How holes are filled."""

    schedule: MaskSchedule
    num_steps: int = 7
    sweet_spot: int | None = None  # stop after this many steps; None = all
    choice_temperature: float = 4.5
    mask_dilation: int = 0  # cells by which the hidden region grows beyond the touched cells
    refresh_every: int | None = None  # full passes every so many steps, cells of the hole in between; None or 1 = exact
    refresh_ring: int = 0  # known cells around the hole that are computed with it in between

    def __post_init__(self) -> None:
        checked_stop(num_steps=self.num_steps, sweet_spot=self.sweet_spot, choice_temperature=self.choice_temperature)
        if self.mask_dilation < 0:
            raise ValueError(f"decode.mask_dilation must be at least 0 cells, got {self.mask_dilation}")
        if self.refresh_every is not None and self.refresh_every < 1:
            raise ValueError(f"decode.refresh_every must be at least 1 step or null, got {self.refresh_every}")
        if self.refresh_ring < 0:
            raise ValueError(f"decode.refresh_ring must be at least 0 cells, got {self.refresh_ring}")


@dataclass(frozen=True)
class Masked:
    """Pictures with holes, read once and ready to be decoded any number of times."""

    images: Tensor  # (B, H, W, 3) uint8, as given
    holes: Tensor  # (B, H, W) bool
    tokens: Tensor  # (B, N) int64 of the picture with grey holes
    mask: Tensor  # (B, N) bool: tokens to predict
    context: Tensor | None  # (B, N, dim), what the network read from the known pixels


@dataclass(frozen=True)
class Fill:
    """Filled pictures."""

    decoded: Tensor  # (B, H, W, 3) uint8: the tokenizer's whole output
    composited: Tensor  # (B, H, W, 3) uint8: the same with the known pixels put back exactly
    tokens: Tensor  # (B, N) int64
    mask: Tensor  # (B, N) bool: tokens that were hidden
    trace: DecodeTrace


def to_uint8(pictures: Tensor) -> Tensor:
    """Turn float pictures in [0, 1] (B, 3, H, W) into uint8 (B, H, W, 3)."""
    return (pictures * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def composite(filled: Tensor, images: Tensor, holes: Tensor) -> Tensor:
    """Take the hole from `filled` and everything else from `images`, both uint8 (B, H, W, 3); holes (B, H, W) bool."""
    return torch.where(holes[..., None], filled, images)


def read_masked(
    model: MaskedTokenModel,
    tokenizer: FrozenTokenizer,
    images: Tensor,
    holes: Tensor,
    *,
    mask_dilation: int = 0,
    autocast: torch.dtype | None = None,
) -> Masked:
    """Encode pictures with holes; what lies under the holes has no influence.

    Args:
        model: in evaluation mode, on the tokenizer's device.
        images: (B, H, W, 3) uint8; pixels under the holes are overwritten with grey before anything reads them.
        holes: (B, H, W) bool, True = to be filled.
        mask_dilation: cells by which the hidden region grows.
        autocast: precision of the network's matrix products, None = as the weights are.
    """
    device = tokenizer.device
    images, holes = images.to(device), holes.to(device)
    masked = images.masked_fill(holes[..., None], HOLE_GREY)
    with _network(device, autocast):
        context = model.read_context(masked, holes)
    mask = token_mask(holes, grid=tokenizer.grid, dilation=mask_dilation)
    return Masked(images=images, holes=holes, tokens=tokenizer.encode(masked), mask=mask, context=context)


@contextmanager
def _network(device: torch.device, autocast: torch.dtype | None) -> Iterator[None]:
    """Run the trained networks: no gradients, the precision asked for, weights that stay as they are."""
    with torch.no_grad(), torch.autocast(device.type, dtype=autocast, enabled=autocast is not None), weights_fixed():
        yield


def first_step(model: MaskedTokenModel, masked: Masked, *, autocast: torch.dtype | None = None) -> FirstStep:
    """Predict all hidden tokens at once: the first step of every schedule and seed."""
    hidden = Positions.of(masked.mask, masked.mask.sum(1).tolist())
    tokens = masked.tokens.masked_fill(masked.mask, model.transformer.mask_token_id)
    with _network(masked.tokens.device, autocast):
        embedded = model.transformer.embedded(tokens, masked.context)
        return FirstStep(model.transformer.from_embedded(embedded, hidden), embedded)


def decode_masked(
    model: MaskedTokenModel,
    masked: Masked,
    *,
    settings: DecodeSettings,
    generators: Sequence[torch.Generator],
    autocast: torch.dtype | None = None,
    first: FirstStep | None = None,
) -> DecodeTrace:
    """Predict the hidden tokens along the schedule; one generator per picture, so that it does not depend on its batch.

    Args:
        model: in evaluation mode.
        masked: what to fill.
        settings: how.
        generators: of the order noise.
        autocast: precision of the network's matrix products, None = as the weights are.
        first: of `first_step`, where several decodes of the same pictures share it; not used with partial refresh.
    """
    predict: Predictor
    if settings.refresh_every is None or settings.refresh_every == 1:
        predict = HiddenPrediction(model, masked.context, first=first)
    else:
        predict = RefreshedPrediction(
            model, masked.context, mask=masked.mask, every=settings.refresh_every, ring=settings.refresh_ring
        )
    with _network(masked.tokens.device, autocast):
        return decode_hidden(
            predict,
            masked.tokens,
            masked.mask,
            schedule=settings.schedule,
            num_steps=settings.num_steps,
            sweet_spot=settings.sweet_spot,
            choice_temperature=settings.choice_temperature,
            mask_token_id=model.transformer.mask_token_id,
            generator=generators,
        )


def fill_holes(
    model: MaskedTokenModel,
    tokenizer: FrozenTokenizer,
    images: Tensor,
    holes: Tensor,
    *,
    settings: DecodeSettings,
    generators: Sequence[torch.Generator],
    autocast: torch.dtype | None = None,
) -> Fill:
    """Fill the holes of a batch of pictures: `read_masked`, `decode_masked`, pixels."""
    masked = read_masked(model, tokenizer, images, holes, mask_dilation=settings.mask_dilation, autocast=autocast)
    trace = decode_masked(model, masked, settings=settings, generators=generators, autocast=autocast)
    decoded = to_uint8(tokenizer.decode(trace.tokens))
    return Fill(
        decoded=decoded,
        composited=composite(decoded, masked.images, masked.holes),
        tokens=trace.tokens,
        mask=masked.mask,
        trace=trace,
    )
