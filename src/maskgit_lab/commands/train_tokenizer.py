"""Train the tokenizer (stage 1), or say where the cached one is."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.stage1 import find_or_train_tokenizer
from maskgit_lab.commands.shell import run_dir
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.machine.denormals import flush_denormals

log = logging.getLogger("maskgit_lab")


def train_tokenizer(cfg: DictConfig) -> None:
    """Find or train the tokenizer and say where it is."""
    flush_denormals()
    cache = Path(cfg.paths.cache).expanduser()
    splits: DataSplits = build(cfg.data.source).load(cache=cache)
    log.info(f"Data: {splits.description}")
    tokenizer = find_or_train_tokenizer(cfg, splits, cache=cache, folder=run_dir())
    log.info(
        f"Tokenizer {tokenizer.sha256[:12]}: {tokenizer.num_image_tokens} tokens of {tokenizer.num_codebook_vectors} codes"
    )
