"""Flags with which a run could not end are refused at start, by their name."""

import copy
import functools
import logging
import re
from pathlib import Path

import pytest
import yaml

from maskgit_lab.assembly.compose import build_callbacks, build_trainer
from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.assembly.trainer_flags import check_flags
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.runs.folder import RunFolder
from tests.support.builders import datamodule
from tests.support.configs import configuration

pytestmark = pytest.mark.thorough


@functools.cache
def composed_once() -> TrainConfig:
    return configuration()


def told(overrides: str) -> TrainConfig:
    """Return what `train` is told by KEY=VALUE of trainer, callbacks and optimizer, without composing it anew."""
    config = copy.deepcopy(composed_once())
    for override in overrides.split():
        key, _, value = override.lstrip("+").partition("=")
        group, *names = key.split(".")
        node = getattr(config, group)
        for name in names[:-1]:
            node = node[name]
        node[names[-1]] = yaml.safe_load(value)
    return config


@pytest.mark.parametrize(("overrides", "message"), [
    ("trainer.max_epochs=0", "trainer.max_epochs must be at least 1: a run without training"),
    ("+trainer.max_steps=0", "trainer.max_steps must be at least 1"),
    ("trainer.max_epochs=-1", "trainer.max_epochs=-1 has no end"),
    ("trainer.max_epochs=null", "trainer.max_epochs=None has no end"),
    ("trainer.max_epochs=-1 +trainer.max_time='00:00:01:00'", "the learning rate's decay needs a length"),
    ("+trainer.limit_val_batches=0", "trainer.limit_val_batches must be at least 1"),
    ("+trainer.limit_val_batches=0.0", "trainer.limit_val_batches must be above 0"),
    ("+trainer.limit_train_batches=0", "trainer.limit_train_batches must be at least 1"),
    ("+trainer.limit_train_batches=1.5", "trainer.limit_train_batches must be above 0 and at most 1"),
    ("+trainer.overfit_batches=-1", "trainer.overfit_batches must be"),
    ("+trainer.val_check_interval=0", "trainer.val_check_interval must be at least 1"),
    ("+trainer.val_check_interval='00:00:05:00'", "trainer.val_check_interval must be a number of batches or a share"),
    ("+trainer.check_val_every_n_epoch=9", "trainer.check_val_every_n_epoch (9) exceeds trainer.max_epochs (2)"),
    ("+trainer.check_val_every_n_epoch=0", "trainer.check_val_every_n_epoch must be at least 1"),
    ("+trainer.check_val_every_n_epoch=null +trainer.val_check_interval=0.5", "trainer: "),  # Lightning's own words
    ("+trainer.check_val_every_n_epoch=2 +trainer.max_time='00:00:01:00'", "trainer.max_time needs trainer.check_val"),
    ("+trainer.min_epochs=1 +trainer.max_steps=5", "trainer.min_epochs does not go with trainer.max_steps"),
    ("+trainer.min_epochs=9", "trainer.min_epochs (9) exceeds trainer.max_epochs (2)"),
    ("+trainer.min_steps=9 +trainer.max_steps=5", "trainer.min_steps (9) exceeds trainer.max_steps (5)"),
    ("+trainer.accumulate_grad_batches=0", "trainer.accumulate_grad_batches must be at least 1"),
    ("+trainer.fast_dev_run=-1", "trainer.fast_dev_run must be at least 0"),
    ("+trainer.enable_checkpointing=false", "trainer.enable_checkpointing=false"),
    ("+trainer.barebones=true", "trainer.barebones=true"),
    ("+trainer.logger=false", "trainer.logger is given by logger=csv"),
    ("+trainer.callbacks=[]", "trainer.callbacks is given by the group callbacks"),
    ("+trainer.default_root_dir=x", "trainer.default_root_dir is given by paths.runs"),
    ("trainer.precision=16-true", "trainer.precision must be one of auto, 32-true"),
    ("trainer.precision=64-true", "trainer.precision must be one of"),
    ("trainer.precision=bf16-true", "trainer.precision must be one of"),
    ("trainer.precision=16-mixed", "trainer.precision=16-mixed scales gradients"),
    ("trainer.precision=16-mixed trainer.gradient_clip_val=null", "does not go with optimizer.matrix_lr"),
    ("trainer.gradient_clip_val=-1", "trainer.gradient_clip_val must be at least 0"),
    ("+trainer.gradient_clip_algorithm=best", "trainer: "),
    ("+trainer.profiler=fast", "trainer: "),
    ("+trainer.max_time=soon", "trainer: "),
    ("+trainer.max_time='00:00:00:00'", "trainer.max_time must be above 0"),
    ("+trainer.limit_batches=3", "limit_batches"),
    ("trainer.strategy=fsdp trainer.accelerator=cpu", "trainer: "),
    ("trainer.devices=0", "trainer.devices must be at least 1"),
    ("trainer.devices=[]", "trainer.devices must be"),
    ("callbacks.best=null", "callbacks.best is needed"),
    ("callbacks.best.monitor=null", "callbacks.best.monitor is needed"),
    ("callbacks.best.mode=least", "callbacks.best.mode must be min or max"),
    ("callbacks.best.save_top_k=3", "callbacks.best.save_top_k must be 1"),
    ("callbacks.best.filename=good", "callbacks.best.filename must be best"),
    ("callbacks.last.filename=good", "callbacks.last.filename must be last"),
])  # fmt: skip
def test_check_flags_refuses_a_flag_with_which_a_run_cannot_end(overrides: str, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_flags(told(overrides))


@pytest.mark.parametrize("overrides", [
    "trainer.precision=bf16", "trainer.precision=32", "callbacks.last=null", "+trainer.max_steps=5",
    "trainer.max_epochs=-1 +trainer.max_steps=5", "+trainer.fast_dev_run=true trainer.max_epochs=0",
    "+trainer.limit_val_batches=0.5",
    "+trainer.overfit_batches=0", "+trainer.check_val_every_n_epoch=null +trainer.val_check_interval=10",
    "trainer.precision=16-mixed trainer.gradient_clip_val=null optimizer.matrix_lr=null",
])  # fmt: skip
def test_check_flags_takes_what_can_end(overrides: str):
    check_flags(told(overrides))


@pytest.mark.parametrize("overlay", ["debug=overfit", "debug=fdr", "debug=limit", "recipe=lab"])
def test_check_flags_takes_the_overlays(overlay: str):
    check_flags(configuration(overlay))


def test_build_trainer_has_no_bar_where_none_is_asked_for_and_knows_the_summary(tmp_path: Path):
    config = told("trainer.precision=32-true trainer.accelerator=cpu +trainer.enable_progress_bar=false")
    config.trainer["enable_model_summary"] = True
    config.callbacks["scores"] = None
    data, settings = datamodule(tmp_path, batch_size=4), DecodeSettings(schedule=Cosine())
    callbacks = build_callbacks(config, RunFolder(tmp_path), data, settings, None)  # type: ignore[arg-type]
    trainer = build_trainer(config, RunFolder(tmp_path), [], callbacks)
    assert trainer.progress_bar_callback is None
    assert logging.getLogger("lightning.pytorch.callbacks.model_summary").isEnabledFor(logging.INFO)
