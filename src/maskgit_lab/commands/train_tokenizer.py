"""Train the tokenizer (stage 1), or say where the cached one is."""

import logging

from maskgit_lab.assembly.constructors import check_constructors
from maskgit_lab.assembly.load import load_data
from maskgit_lab.assembly.numbers import check_numbers
from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.assembly.stage1 import find_or_train_tokenizer
from maskgit_lab.commands.shell import run_dir
from maskgit_lab.machine.denormals import flush_denormals

log = logging.getLogger("maskgit_lab")


def train_tokenizer(config: TrainConfig) -> None:
    """Find or train the tokenizer and say where it is."""
    flush_denormals()
    check_constructors(config)
    check_numbers(config)
    splits = load_data(config.data, config.paths)
    tokenizer = find_or_train_tokenizer(config, splits, folder=run_dir())
    log.info(f"Tokenizer {tokenizer.sha256[:12]}: {tokenizer.num_image_tokens} tokens of {tokenizer.num_codebook_vectors} codes")
