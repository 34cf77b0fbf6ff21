"""Give a trained run a decoder that reads the known pixels."""

import dataclasses
import logging
from pathlib import Path

from maskgit_lab.assembly.constructors import check_decoder_constructors
from maskgit_lab.assembly.decoder_stage import find_or_train_decoder
from maskgit_lab.assembly.load import load_training_data
from maskgit_lab.assembly.read import load_config
from maskgit_lab.assembly.schemas import TrainDecoderConfig
from maskgit_lab.assembly.stage1 import stage1_precision
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.machine.denormals import flush_denormals
from maskgit_lab.runs.claim import hold, require_idle
from maskgit_lab.runs.folder import RunFolder, shown_path
from maskgit_lab.training.devices import check_accelerator

log = logging.getLogger("maskgit_lab")


def train_decoder(config: TrainDecoderConfig) -> None:
    """Find or train the decoder and put it into the run folder.

    Raise ValueError when the run has one already, unless `overwrite`, or another process works on the run.
    """
    flush_denormals()
    folder = RunFolder(Path(config.run))
    check_decoder_constructors(config.decoder)
    check_accelerator(config.accelerator)
    if folder.decoder.is_file() and not config.overwrite:
        raise ValueError(f"{shown_path(folder.decoder)} is there already: overwrite=true replaces it")
    require_idle(folder)
    hold(folder)
    device = "cpu" if config.accelerator == "cpu" else "auto"
    inpainter = Inpainter.from_run(folder.root, checkpoint=config.checkpoint, device=device, decoder="plain")
    run_config = load_config(folder.root)
    splits = load_training_data(run_config.data, config.paths)
    here = dataclasses.replace(run_config, paths=config.paths, trainer={**run_config.trainer, "accelerator": config.accelerator})
    decoder = find_or_train_decoder(
        config.decoder, run_config, splits, inpainter.filler, seed=config.seed,
        cache=config.paths.cache_folder, folder=folder.root, accelerator=config.accelerator, precision=stage1_precision(here),
    )  # fmt: skip
    decoder.save(folder.decoder)
    log.info(f"Decoder {decoder.sha256[:12]} is in {shown_path(folder.decoder)}: inpaint and evaluate use it from now on")
