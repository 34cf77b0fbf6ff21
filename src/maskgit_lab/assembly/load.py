"""Read back what a run left: its configuration, its tokenizer, its weights."""

from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from maskgit_lab.assembly.config import build
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.training.module import require_same_tokenizer


def load_weights(model: MaskedTokenModel, checkpoint: Path, tokenizer: FrozenTokenizer) -> None:
    """Load a training checkpoint's network into `model`, refusing one of another tokenizer."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    require_same_tokenizer(content.get("tokenizer_sha256"), tokenizer)
    prefix = "model."
    model.load_state_dict({key.removeprefix(prefix): value for key, value in content["state_dict"].items()})


def load_tokenizer(folder: RunFolder) -> FrozenTokenizer:
    """Return the tokenizer that a run was trained with."""
    return FrozenTokenizer.load(folder.tokenizer)


def load_splits(root: str | Path) -> DataSplits:
    """Return the pictures that a run was trained and scored on, from the cache where they are."""
    cfg = load_config(Path(root))
    splits: DataSplits = build(cfg.data.source).load(cache=Path(cfg.paths.cache).expanduser())
    return splits


def load_config(root: Path) -> DictConfig:
    """Return the configuration that a run folder records.

    Raises:
        FileNotFoundError: when the folder is not a run's.
    """
    path = RunFolder(root).config
    if not path.is_file():
        raise FileNotFoundError(f"{root} is not a run folder of maskgit_lab: it has no {path.name} (run=RUN_FOLDER)")
    config = OmegaConf.load(path)
    assert isinstance(config, DictConfig)
    return config
