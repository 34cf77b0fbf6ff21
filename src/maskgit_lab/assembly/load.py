"""Read back what a run left: its images, its tokenizer, its weights."""

from pathlib import Path

import torch

from maskgit_lab.assembly.compose import load_data
from maskgit_lab.assembly.read import load_config
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.training.divergence import require_finite_weights
from maskgit_lab.training.module import require_same_tokenizer


def load_weights(model: MaskedTokenModel, checkpoint: Path, tokenizer: FrozenTokenizer) -> None:
    """Load a training checkpoint's network into `model`, refusing one of another tokenizer or with weights that are not finite."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    require_same_tokenizer(content.get("tokenizer_sha256"), tokenizer)
    require_finite_weights(content["state_dict"], f"{checkpoint}: training diverged")
    model.load_state_dict({key.removeprefix("model."): value for key, value in content["state_dict"].items()})


def load_tokenizer(folder: RunFolder) -> FrozenTokenizer:
    """Return the tokenizer that a run was trained with."""
    return FrozenTokenizer.load(folder.tokenizer)


def load_splits(root: str | Path) -> DataSplits:
    """Return the images that a run was trained and scored on, from the cache where they are."""
    config = load_config(root)
    return load_data(config.data, config.paths)
