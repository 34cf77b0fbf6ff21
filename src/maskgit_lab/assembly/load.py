"""Read back what a run left: its images, its tokenizer, its weights."""

import dataclasses
import logging
from pathlib import Path

from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.read import load_config
from maskgit_lab.assembly.schemas import Group, Paths, TrainConfig
from maskgit_lab.data.holes import DEFAULT_SHARE
from maskgit_lab.data.image_opening import MAX_PIXELS, ReadOptions
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.data.train_masks import load_train_masks
from maskgit_lab.machine.tensor_file import require_tensors
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer, require_same_tokenizer
from maskgit_lab.runs.checkpoint import REMEDY, TOKENIZER_KEY, read_checkpoint
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.metrics_file import read_rows
from maskgit_lab.training.divergence import require_finite_weights

log = logging.getLogger("maskgit_lab")

DECODERS = ("conditional", "plain", None)


def load_weights(model: MaskedTokenModel, checkpoint: Path, tokenizer: FrozenTokenizer) -> None:
    """Load a training checkpoint's network into `model`.

    Raise ValueError when the file is damaged, of another tokenizer or network, or has weights that are not finite.
    """
    content = read_checkpoint(checkpoint)
    try:
        require_same_tokenizer(content.get(TOKENIZER_KEY), tokenizer)
    except ValueError as error:
        raise ValueError(f"{checkpoint}: {error}") from error
    require_tensors(content["state_dict"], checkpoint, remedy=REMEDY)
    require_finite_weights(content["state_dict"], f"{checkpoint}: training diverged")
    try:
        model.load_state_dict({key.removeprefix("model."): value for key, value in content["state_dict"].items()})
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise ValueError(f"{checkpoint} does not fit the network that config.yaml describes: {' '.join(lines[1:2])}") from error


def check_resumed(config: TrainConfig, folder: RunFolder) -> None:
    """Look at what a resumed run has written, before anything is; its checkpoint is looked at by `going_on.last_state`.

    Raise ValueError when a file is damaged, or `checkpoint` has no effect.
    """
    if not config.resume:
        if config.checkpoint != "last":
            raise ValueError(f"checkpoint={config.checkpoint} says where a run goes on from: it needs resume=RUN_FOLDER")
        return
    if folder.result.is_file():
        folder.read_result()
    if folder.metrics.is_file():
        read_rows(folder.metrics)


def load_tokenizer(folder: RunFolder) -> FrozenTokenizer:
    """Return the tokenizer that a run was trained with."""
    return FrozenTokenizer.load(folder.tokenizer)


def load_decoder(folder: RunFolder, tokenizer: FrozenTokenizer, which: str | None = None) -> FrozenDecoder | None:
    """Return the conditional decoder of a run, None for the tokenizer's own.

    `which`: conditional, plain, or None = conditional where the run has one. Raise FileNotFoundError when it has none and was asked
    for it, ValueError when the file is damaged or `which` is something else.
    """
    if which not in DECODERS:
        raise ValueError(f"use_decoder must be conditional, plain or null, got {which!r}")
    if which == "plain" or (which is None and not folder.decoder.is_file()):
        return None
    return FrozenDecoder.load(folder.decoder, tokenizer)


def trained_hole_share(config: TrainConfig, folder: RunFolder) -> tuple[float, float]:
    """Return the least and the largest usual share of hole pixels that a run was trained on, in masks of its own or drawn.

    Raise ValueError when what was recorded of own masks is no two shares.
    """
    low, high = config.data.get("hole_share", DEFAULT_SHARE)
    if config.data.get("train_masks") is not None and folder.result.is_file():
        low, high = folder.read_hole_share() or (low, high)
    return float(low), float(high)


def load_data(data: Group, paths: Paths) -> DataSplits:
    """Load the images of a group `data`, decoded or from the cache, and say what they are."""
    splits: DataSplits = build(data["source"]).load(cache=paths.cache_folder)
    log.info(f"Data: {splits.description}")
    return splits


def load_training_data(data: Group, paths: Paths) -> DataSplits:
    """Load the images of a group `data`, and its own masks for training where it names some."""
    splits = load_data(data, paths)
    if data.get("train_masks") is None:
        return splits
    holes = load_train_masks(
        Path(data["train_masks"]).expanduser(), resolution=splits.train.images.shape[1], cache=paths.cache_folder,
        hole=data["train_mask_hole"], max_share=data["max_hole_share"],
        options=ReadOptions(max_pixels=data.get("max_pixels", MAX_PIXELS), keys="data."),
    )  # fmt: skip
    log.info(f"Data: holes for training and validation from {len(holes):,} masks in {data['train_masks']}")
    return dataclasses.replace(splits, train_holes=holes)


def load_splits(root: str | Path) -> DataSplits:
    """Return the images that a run was trained and scored on, from the cache where they are."""
    config = load_config(root)
    return load_data(config.data, config.paths)
