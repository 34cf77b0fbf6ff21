"""The decoder stage from tokens and images to a frozen decoder."""

from pathlib import Path
from typing import Any

from torch import Tensor

from maskgit_lab.data.datamodule import InpaintingDataModule
from maskgit_lab.models.conditional_decoder import ConditionalDecoder
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from maskgit_lab.training.decoder_module import DecoderModule
from maskgit_lab.training.divergence import DivergedError, require_finite_weights
from maskgit_lab.training.quiet import quiet_lightning
from maskgit_lab.training.stage_trainer import stage_trainer, whole_checkpoint

STAGE = "Decoder"
MAX_VAL_BATCHES = 8  # the error of more images moves in the second decimal only


def train_decoder(
    *,
    network: ConditionalDecoder,
    datamodule: InpaintingDataModule,
    holes: Tensor,
    folder: Path,
    checkpoints: Path,
    max_steps: int,
    val_every_n_steps: int,
    accelerator: str = "auto",
    precision: str = "32-true",
    **settings: Any,
) -> tuple[FrozenDecoder, dict[str, float]]:
    """Train a decoder; return it frozen, and the last validation's scores by name.

    `datamodule` serves tokens with images; its tokenizer is the decoder's. `holes`: (M, H, W) bool, the bank. `folder`: decoder/
    inside it gets metrics.csv. `checkpoints`: last.ckpt is kept here while training, and one that an interrupted stage left is
    continued. `max_steps`: updates. `precision`: Lightning's name of one. The others are those of DecoderModule.
    """
    quiet_lightning()
    tokenizer = datamodule.tokenizer
    module = DecoderModule(
        network=network, tokenizer=tokenizer, holes=holes, turn_holes=datamodule.turn_holes, total_steps=max_steps, **settings
    )
    trainer = stage_trainer(
        stage=STAGE, folder=folder, checkpoints=checkpoints, max_steps=max_steps, val_every_n_steps=val_every_n_steps,
        accelerator=accelerator, precision=precision,
        limit_val_batches=min(MAX_VAL_BATCHES, len(datamodule.val_dataloader())),
    )  # fmt: skip
    unfinished = checkpoints / "last.ckpt"
    try:
        trainer.fit(module, datamodule=datamodule, ckpt_path=whole_checkpoint(unfinished, stage=STAGE), weights_only=True)
    except DivergedError:
        unfinished.unlink(missing_ok=True)  # the next run would go on behind the bad batch: another decoder under the same key
        raise
    best = module.best_network
    require_finite_weights(best.state_dict(), "the decoder diverged, nothing is kept")
    scores = {name: float(value) for name, value in trainer.validate(module, datamodule, verbose=False)[0].items()}
    unfinished.unlink(missing_ok=True)
    return FrozenDecoder(best, tokenizer), scores
