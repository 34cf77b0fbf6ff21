"""What two processes run together, `python -m tests.support.two_processes SCENARIO FOLDER`: train, be stopped, or fail."""

import json
import signal
import sys
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.fast.model import FastModel
from maskgit_lab.training.callbacks.interruption import StopBetweenBatches
from maskgit_lab.training.callbacks.overfitting import FixedTrainLoss
from maskgit_lab.training.callbacks.scores import InpaintingScores
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.optim import AdamSettings
from maskgit_lab.training.quiet import quiet_lightning
from tests.support.builders import boxes, datamodule, inpaint_set, model, splits, tokenizer, transformer

WHOLE_BATCH, WHOLE_VAL_BATCH = 6, 4  # of all processes together


class Log(Callback):
    """Keep the losses of the steps and what every validation logged."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.epochs: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        self.steps.append(float(trainer.callback_metrics["train/loss"]))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.epochs.append({name: float(value) for name, value in trainer.callback_metrics.items()})


class Disturb(Callback):
    """Send this process a signal, or break it, in the middle of a step."""

    def __init__(self, rank: int, step: int, what: str) -> None:
        self.rank, self.step, self.what = rank, step, what

    def on_before_zero_grad(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and trainer.global_rank == self.rank:
            if self.what == "break":
                raise RuntimeError("broken on purpose")
            signal.raise_signal(signal.SIGTERM)


def trained() -> MaskedTokenModule:
    network = model()
    without_dropout = FastModel(transformer=transformer(dropout=0.0), context=network.context)
    without_dropout.load_state_dict(network.state_dict())
    return MaskedTokenModule(
        model=without_dropout, tokenizer=tokenizer(), mask_schedule=Cosine(), seed=5, encode_masked=True,
        optimizer=AdamSettings(lr=1e-3, warmup_steps=2), holes=torch.from_numpy(boxes(7)),
    )  # fmt: skip


def fit(folder: Path, module: MaskedTokenModule, *, world: int, callbacks: list[Callback], resume: bool = False) -> Log:
    """Train two epochs of eight steps on 48 images, validated on seven."""
    quiet_lightning()
    log, data = Log(), splits(val=7)
    last = ModelCheckpoint(folder, filename="last", save_on_exception=True, enable_version_counter=False)
    scores = InpaintingScores(
        images=inpaint_set(7), settings=DecodeSettings(schedule=Cosine(), num_steps=3), batch_size=2,
        extractor=TokenizerFeatures(tokenizer=tokenizer()),
    )  # fmt: skip
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", devices=world, strategy="ddp" if world > 1 else "auto", logger=False,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False, gradient_clip_val=1.0,
        precision="32-true", num_sanity_val_steps=1,
        callbacks=[StopBetweenBatches(), last, scores, FixedTrainLoss(num_images=7), log, *callbacks],
    )  # fmt: skip
    serving = datamodule(
        folder.parent / "cache", data=data, batch_size=WHOLE_BATCH // world, val_batch_size=WHOLE_VAL_BATCH // world,
        flip=True, num_train_holes=7,
    )  # fmt: skip
    path = folder / "last.ckpt" if resume else None
    trainer.fit(module, datamodule=serving, ckpt_path=path, weights_only=True)
    return log


def main(scenario: str, folder: Path) -> None:
    disturbances: dict[str, list[Callback]] = {
        "whole": [], "stop": [Disturb(1, 5, "stop")], "break": [Disturb(1, 5, "break")]
    }  # fmt: skip
    module = trained()
    log = fit(folder / scenario, module, world=2, callbacks=disturbances[scenario])
    if module.global_rank == 0:
        content = {"steps": log.steps, "epochs": log.epochs}
        (folder / f"{scenario}.json").write_text(json.dumps(content))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
