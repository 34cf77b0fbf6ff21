"""What a run that goes on is held to: its own tokenizer, the images it was trained on; and what else is not as it was."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.data.content import content_differences
from maskgit_lab.models.tokenizer import FrozenTokenizer, require_same_tokenizer
from maskgit_lab.runs.checkpoint import TOKENIZER_KEY, read_checkpoint
from maskgit_lab.runs.folder import RunFolder, shown_path
from maskgit_lab.runs.provenance import differences

log = logging.getLogger("maskgit_lab")


@dataclass(frozen=True)
class LastState:
    """What last.ckpt says of the training behind it."""

    epochs: int  # whole epochs
    steps: int  # optimiser steps
    tokenizer_sha256: str


def last_state(config: TrainConfig, folder: RunFolder) -> LastState | None:
    """Read the state that a run goes on from; None = it begins: a new one, or one that was stopped before its first last.ckpt.

    Raise ValueError when the run was finished and its last.ckpt is gone.
    """
    if config.resume is None:
        return None
    if config.checkpoint == "last" and not (folder.checkpoints / "last.ckpt").is_file():
        result = folder.read_result() if folder.result.is_file() else {}
        if result.get("status") == "completed" or "scores" in result:
            raise ValueError(
                f"{shown_path(folder.root)} is finished and has no checkpoints/last.ckpt to go on from; "
                "train a new run for more epochs"
            )
        return None
    content = read_checkpoint(folder.checkpoint(config.checkpoint))
    epochs = content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    return LastState(int(epochs), int(content["global_step"]), str(content.get(TOKENIZER_KEY)))


def check_length(config: TrainConfig, last: LastState | None) -> None:
    """Raise ValueError when the run has more epochs behind it than trainer.max_epochs asks for."""
    asked = config.trainer.get("max_epochs")
    if last is not None and asked is not None and 0 <= asked < last.epochs:
        raise ValueError(f"trainer.max_epochs={asked}: the run has {last.epochs} epochs behind it already")


def own_tokenizer(folder: RunFolder, last: LastState | None) -> FrozenTokenizer | None:
    """Return the tokenizer in the run folder, None where a run that begins has none.

    Raise FileNotFoundError when the checkpoint needs it and it is gone, ValueError when it is another one.
    """
    if last is None and not folder.tokenizer.is_file():
        return None
    if not folder.tokenizer.is_file():
        raise FileNotFoundError(
            f"{folder.tokenizer} is gone: the run's checkpoints need tokenizer {str(last and last.tokenizer_sha256)[:12]}; "
            "put it back from a copy of the run, or train a new run"
        )
    tokenizer = FrozenTokenizer.load(folder.tokenizer)
    if last is not None:
        try:
            require_same_tokenizer(last.tokenizer_sha256, tokenizer)
        except ValueError as error:
            raise ValueError(f"{folder.tokenizer}: {error}") from None
    log.info(f"Stage 1: the run's own tokenizer, {tokenizer.sha256[:12]} in {shown_path(folder.tokenizer)}")
    return tokenizer


def require_recorded_images(recorded: Mapping[str, Any], images: Mapping[str, Any], description: str, *, force: bool) -> None:
    """Compare the images with those that a run recorded.

    Args:
        recorded: its result.json; runs of earlier versions recorded a description only.
        images: see `data.content.content_of`.
        description: of the images, one line.
        force: name differences, and go on.

    Raises:
        ValueError: when they differ, unless `force`.
    """
    lines = content_differences(recorded.get("images", {}), images)
    if lines and not force:
        raise ValueError(f"the images are not those the run recorded: {'; '.join(lines)}. force=true goes on with them (data.root)")
    for line in lines:
        log.warning(f"force=true: the images are not those the run recorded: {line}")
    if "images" not in recorded and recorded.get("data", description) != description:
        log.warning(f"The images may not be those of the run: {description}; recorded: {recorded['data']}")


def name_differences(recorded: Mapping[str, Any]) -> None:
    """Say what of versions and code is not as the run recorded it, a line each."""
    for line in differences(recorded.get("provenance", {})):
        log.warning(f"The run goes on with {line}")
