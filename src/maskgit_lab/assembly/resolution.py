"""One key, `resolution`, for data, tokenizer and model: what a configuration leaves open follows it, what contradicts is refused.

The model's sizes are taken from the tokenizer when both are built (`networks.build_model`).
"""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from maskgit_lab.assembly.schemas import Group, TrainConfig

IMAGES, TOKENIZER = "data.source.resolution", "tokenizer.model.img_resolution"
PATCH, GRID = "tokenizer.model.patch_size", "tokenizer.model.latent_resolution"
SCHEDULES = ("mask_schedule", "training.mask_schedule")
SMALL = 64  # pixels per side up to which a token is a cell of 4 x 4 pixels, as the lab's does; above it is 8 x 8
SMALL_CELL, LARGE_CELL = 4, 8


def cell_pixels(resolution: int) -> int:
    """Return how many pixels per side a token covers, unless the configuration says otherwise.

    So 64 and 128 pixels have 16 x 16 tokens and cost the same in stage 2; 256 pixels have 32 x 32.
    """
    return SMALL_CELL if resolution <= SMALL else LARGE_CELL


def followed(cfg: DictConfig) -> DictConfig:
    """Return a composed configuration in which the keys that are null follow `resolution`; itself where there is no such key."""
    resolution = OmegaConf.select(cfg, "resolution")
    if not isinstance(resolution, int) or resolution < 1:
        return cfg
    cfg = cfg.copy()
    for key in (IMAGES, TOKENIZER):
        _fill(cfg, key, resolution)
    side = OmegaConf.select(cfg, TOKENIZER)
    if isinstance(side, int) and side > 0:
        _fill(cfg, PATCH, cell_pixels(side))
        _fill(cfg, GRID, max(1, side // cell_pixels(side)))
    return cfg


def at_resolution(data: Group, resolution: int) -> Group:
    """Return a group `data` whose images have so many pixels per side."""
    return {**data, "source": {**data["source"], "resolution": resolution}}


def check_resolution(config: TrainConfig) -> None:
    """Raise ValueError with the remedy where images, tokenizer and schedules are of different sizes, before stage 1 is trained.

    A tokenizer that is given (`tokenizer.checkpoint`) says its sizes itself, when it is read (`stage1`).
    """
    if config.tokenizer.checkpoint:
        return
    images, model = config.data["source"].get("resolution"), config.tokenizer.model
    side = model.get("img_resolution")
    if images is not None and side is not None and images != side:
        raise ValueError(
            f"{IMAGES} is {images} and {TOKENIZER} is {side}: resolution={images} sets both, and the model follows the tokenizer"
        )
    patch = model.get("patch_size")
    if side is not None and patch is not None and side % patch:
        raise ValueError(
            f"resolution: {side} pixels per side are no multiple of {PATCH} ({patch}): "
            f"resolution={max(1, round(side / patch)) * patch}, or another {PATCH}"
        )
    grid = side // patch if side and patch else model.get("latent_resolution")
    if grid is None or config.resolution is None:
        return
    for key in SCHEDULES:
        node: Any = config.mask_schedule if key == "mask_schedule" else config.training.mask_schedule
        tokens = node.get("num_image_tokens") if isinstance(node, Mapping) else None
        if tokens is not None and tokens != grid**2:
            raise ValueError(
                f"{key}.num_image_tokens is {tokens}, an image has {grid**2} tokens: mask_schedule.num_image_tokens={grid**2}"
            )


def _fill(cfg: DictConfig, key: str, value: int) -> None:
    """Set a key that is there and null."""
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent)
    if isinstance(node, DictConfig) and name in node and not OmegaConf.is_missing(node, name) and node[name] is None:
        OmegaConf.update(cfg, key, value)
