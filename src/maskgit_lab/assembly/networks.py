"""The networks of a run and how it decodes: what a fill needs of a configuration, and nothing that training brings along."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.schemas import Group, ModelConfig, TrainConfig
from maskgit_lab.assembly.suggest import did_you_mean
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.core.shapes import shapes_only
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer

TOKENS = "num_image_tokens"  # of a schedule that depends on the size of the token grid
FIGURE_STEPS = "figure_steps"  # of the group decode: how far the schedule figures go; everything else is DecodeSettings


def build_model(config: ModelConfig, tokenizer: FrozenTokenizer, *, weights: Path | None = None) -> MaskedTokenModel:
    """Build the network for a tokenizer's grid and codebook.

    Args:
        config: of the network.
        tokenizer: its tokenizer.
        weights: the checkpoint that it will be filled from, whose size bounds the network's: no folder makes a command take memory
            for a network that it does not hold. None = a new network.

    Returns:
        The network, with new weights.

    Raises:
        ValueError: when the network is larger than `weights`.
    """
    if weights is not None:
        with shapes_only():
            size = sum(parameter.nbytes for parameter in build_model(config, tokenizer).parameters())
        if size > weights.stat().st_size:
            raise ValueError(
                f"{weights} does not fit the network that config.yaml describes: that has {size:,} bytes of weights, "
                "more than the file"
            )
    transformer = build(
        config.transformer, num_image_tokens=tokenizer.num_image_tokens, num_codebook_vectors=tokenizer.num_codebook_vectors
    )
    context = None
    if config.context is not None:
        context = build(config.context, dim=transformer.dim, grid=tokenizer.grid, resolution=tokenizer.resolution)
    return MaskedTokenModel(transformer=transformer, context=context)


def decode_settings(config: TrainConfig) -> DecodeSettings:
    """Return how a run decodes; keys that an older run does not have are off."""
    return DecodeSettings(schedule=build(config.mask_schedule), **_decode_fields(config.decode))


def decode_changes(decode: Group) -> dict[str, Any]:
    """Return what a command changes in how a run decodes, as fields of DecodeSettings; null = as the run."""
    return {key: value for key, value in _decode_fields(decode).items() if value is not None}


def schedule_for(node: Mapping[str, Any], num_image_tokens: int) -> MaskSchedule:
    """Build a mask schedule for images of so many tokens, whatever the number is in its option file."""
    return build({**node, TOKENS: num_image_tokens} if TOKENS in node else dict(node))


def _decode_fields(decode: Group) -> dict[str, Any]:
    """Return what of a group `decode` is fields of DecodeSettings; raise ValueError naming a key that is none."""
    known = {field.name for field in fields(DecodeSettings)} - {"schedule"}
    unknown = sorted(set(decode) - known - {FIGURE_STEPS})
    if unknown:
        there = f"there are {', '.join(sorted(known))} and {FIGURE_STEPS}"
        raise ValueError(f"decode.{unknown[0]} is not known; {there}{did_you_mean(unknown[0], known)}")
    values = {key: value for key, value in decode.items() if key != FIGURE_STEPS}
    policy = values.pop("policy", None)  # runs from before the key decode by confidence
    return values if policy is None else {**values, "policy": build(policy)}
