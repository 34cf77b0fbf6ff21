"""Fill the holes of images: encode, hide, decode along the schedule, turn tokens into pixels, put the known pixels back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.decoding import DecodeSettings, DecodeTrace, Watch, decode
from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.pixels import HOLE_GREY, composite
from maskgit_lab.models.frozen_decoder import FrozenDecoder, decoded_pixels
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.prediction import Predictors
from maskgit_lab.models.tokenizer import FrozenTokenizer


@dataclass(frozen=True)
class Masked:
    """Images with holes, read once and ready to be decoded any number of times."""

    images: Tensor  # (B, H, W, 3) uint8, as given
    holes: Tensor  # (B, H, W) bool
    tokens: Tensor  # (B, N) int64 of the image with grey holes
    mask: Tensor  # (B, N) bool: tokens to predict
    predictors: Predictors  # of the hidden tokens; what the network read from the known pixels is in them


@dataclass(frozen=True)
class Fill:
    """Filled images."""

    decoded: Tensor  # (B, H, W, 3) uint8: the decoder's whole output
    composited: Tensor  # (B, H, W, 3) uint8: the same with the known pixels put back exactly
    tokens: Tensor  # (B, N) int64
    mask: Tensor  # (B, N) bool: tokens that were hidden
    trace: DecodeTrace


def read_masked(
    model: MaskedTokenModel,
    tokenizer: FrozenTokenizer,
    images: Tensor,
    holes: Tensor,
    *,
    mask_dilation: int = 0,
    autocast: torch.dtype | None = None,
) -> Masked:
    """Encode images with holes; what lies under the holes has no influence.

    Args:
        model: in evaluation mode, on the tokenizer's device.
        tokenizer: encodes the images.
        images: (B, H, W, 3) uint8; pixels under the holes are overwritten with grey before anything reads them.
        holes: (B, H, W) bool, True = to be filled.
        mask_dilation: cells by which the hidden region grows.
        autocast: precision of the network's matrix products, None = as the weights are.

    Returns:
        What `decode_masked` fills.
    """
    device = tokenizer.device
    images, holes = images.to(device), holes.to(device)
    grey = images.masked_fill(holes[..., None], HOLE_GREY)
    with _network(model, device, autocast):
        context = model.read_context(grey, holes)
    mask = token_mask(holes, grid=tokenizer.grid, dilation=mask_dilation)
    tokens = tokenizer.encode(grey)
    return Masked(images, holes, tokens, mask, model.predictors(tokens, mask, context))


@contextmanager
def _network(model: MaskedTokenModel, device: torch.device, autocast: torch.dtype | None) -> Iterator[None]:
    """Run the trained networks: no gradients, in a precision, with weights that stay as they are."""
    with torch.no_grad(), torch.autocast(device.type, autocast, enabled=autocast is not None), model.weights_fixed():
        yield


def predict_at_once(model: MaskedTokenModel, masked: Masked, *, autocast: torch.dtype | None = None) -> Tensor:
    """Return logits (M, V + 1) of all hidden tokens: the first step of every schedule and seed.

    Decodes of `masked` that follow may take this step from here.
    """
    with _network(model, masked.tokens.device, autocast):
        return masked.predictors.at_once()


def decode_masked(
    model: MaskedTokenModel,
    masked: Masked,
    *,
    settings: DecodeSettings,
    generators: Sequence[torch.Generator],
    autocast: torch.dtype | None = None,
    watch: Watch | None = None,
) -> DecodeTrace:
    """Predict the hidden tokens along the schedule; one generator per image, so that it does not depend on its batch.

    Args:
        model: in evaluation mode; the one that `masked` was read with.
        masked: what to fill.
        settings: how.
        generators: of the order noise.
        autocast: precision of the network's matrix products, None = as the weights are.
        watch: told of every pass.

    Returns:
        The tokens, step by step.
    """
    with _network(model, masked.tokens.device, autocast):
        return decode(
            masked.predictors.start(settings),
            masked.tokens,
            masked.mask,
            settings=settings,
            mask_token_id=model.transformer.mask_token_id,
            generator=generators,
            watch=watch,
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
    decoder: FrozenDecoder | None = None,
) -> Fill:
    """Fill the holes of a batch of images: `read_masked`, `fill_masked`."""
    masked = read_masked(model, tokenizer, images, holes, mask_dilation=settings.mask_dilation, autocast=autocast)
    return fill_masked(model, tokenizer, masked, settings=settings, generators=generators, autocast=autocast, decoder=decoder)


def fill_masked(
    model: MaskedTokenModel,
    tokenizer: FrozenTokenizer,
    masked: Masked,
    *,
    settings: DecodeSettings,
    generators: Sequence[torch.Generator],
    autocast: torch.dtype | None = None,
    decoder: FrozenDecoder | None = None,
    watch: Watch | None = None,
) -> Fill:
    """Fill the holes of images that have been read: `decode_masked`, pixels, by `decoder` where there is one."""
    trace = decode_masked(model, masked, settings=settings, generators=generators, autocast=autocast, watch=watch)
    decoded = decoded_pixels(tokenizer, decoder, trace.tokens, masked.images, masked.holes)
    return Fill(
        decoded=decoded,
        composited=composite(decoded, masked.images, masked.holes, blend=settings.mask_blend_pixels),
        tokens=trace.tokens,
        mask=masked.mask,
        trace=trace,
    )
