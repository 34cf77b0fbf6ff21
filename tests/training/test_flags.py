"""Lightning's flags mean what their users mean by them: steps, epochs, validations, the same batches, the same weights."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor

from maskgit_lab.training.callbacks.last_validation import LastValidation
from tests.support.builders import datamodule, small_trainer, stage_2

pytestmark = pytest.mark.thorough

BATCHES, VAL_BATCHES = 4, 2  # of 24 training and 8 validation images


@dataclass
class Seen(Callback):
    """What a training did."""

    batches: list[list[int]] = field(default_factory=list)  # training images, epoch by epoch
    validations: list[int] = field(default_factory=list)  # optimiser steps before each
    val_batches: int = 0

    def on_validation_epoch_start(self, trainer: L.Trainer, *_: Any) -> None:
        if not trainer.sanity_checking:
            self.validations.append(trainer.global_step)

    def on_validation_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        self.val_batches += not trainer.sanity_checking


def trained(cache: Path, folder: Path, **flags: Any) -> tuple[L.Trainer, Seen, list[Tensor]]:
    """Train two epochs, or what the flags say; return the trainer, what it did and the weights."""
    seen, data, module = Seen(), datamodule(cache, batch_size=6, val_batch_size=4), stage_2()
    batch = data._batch

    def watched(split: str, images: np.ndarray, indices: np.ndarray) -> dict[str, Tensor]:
        if split == "train":
            seen.batches.append(sorted(indices.tolist()))
        return batch(split, images, indices)

    data._batch = watched  # type: ignore[method-assign]
    best = ModelCheckpoint(folder, filename="best", monitor="val/loss", enable_version_counter=False)
    trainer = small_trainer(callbacks=[LastValidation(), seen, best], **flags)
    trainer.fit(module, datamodule=data)
    return trainer, seen, list(module.state_dict().values())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def plain(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Tensor]:
    """Return the weights without any flag."""
    return trained(cache, tmp_path_factory.mktemp("plain"))[2]


@pytest.mark.parametrize(("flags", "steps", "validations"), [
    ({}, 8, [4, 8]),
    ({"max_steps": 2}, 2, [2]),
    ({"max_steps": 6}, 6, [4, 6]),
    ({"max_epochs": -1, "max_steps": 5}, 5, [4, 5]),
    ({"max_steps": 4, "accumulate_grad_batches": 2, "max_epochs": 9}, 4, [2, 4]),
    ({"max_steps": 3, "accumulate_grad_batches": 2, "max_epochs": 9}, 3, [2, 3]),
    ({"max_time": timedelta(milliseconds=1)}, 1, [1]),
    ({"max_time": timedelta(milliseconds=1), "min_epochs": 1}, 4, [4]),
    ({"check_val_every_n_epoch": 2}, 8, [8]),
    ({"check_val_every_n_epoch": None, "val_check_interval": 3}, 8, [3, 6]),
    ({"val_check_interval": 0.5}, 8, [2, 4, 6, 8]),
    ({"val_check_interval": 3}, 8, [3, 7]),
    ({"accumulate_grad_batches": 9}, 2, [1, 2]),
    ({"limit_train_batches": 1}, 2, [1, 2]),
    ({"limit_train_batches": 0.5}, 4, [2, 4]),
], ids=str)  # fmt: skip
def test_flags_of_length_give_so_many_steps_and_a_validation_at_the_end(
    cache: Path, tmp_path: Path, flags: dict[str, Any], steps: int, validations: list[int]
):
    trainer, seen, _ = trained(cache, tmp_path, **flags)
    assert trainer.global_step == steps
    assert seen.validations == validations
    assert (tmp_path / "best.ckpt").is_file()


@pytest.mark.parametrize("flags", [
    {"deterministic": True}, {"detect_anomaly": True}, {"use_distributed_sampler": True}, {"reload_dataloaders_every_n_epochs": 1},
    {"enable_model_summary": True, "inference_mode": False}, {"sync_batchnorm": True}, {"profiler": "simple"}, {"benchmark": True},
    {"num_sanity_val_steps": -1},
], ids=str)  # fmt: skip
def test_flags_that_only_look_change_no_weight(cache: Path, tmp_path: Path, plain: list[Tensor], flags: dict[str, Any]):
    try:
        weights = trained(cache, tmp_path, **flags)[2]
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(weights, plain, strict=True))


@pytest.mark.parametrize(("amount", "batches"), [(2, 2), (0.5, 2)])
def test_overfit_batches_trains_on_the_same_images_in_every_epoch(cache: Path, tmp_path: Path, amount: float, batches: int):
    trainer, seen, _ = trained(cache, tmp_path, overfit_batches=amount, max_epochs=3)
    assert trainer.global_step == 3 * batches
    epochs = [seen.batches[i : i + batches] for i in range(0, len(seen.batches), batches)]
    assert len(epochs) == 3
    assert epochs[0] == epochs[1] == epochs[2]


@pytest.mark.parametrize(("amount", "batches"), [(True, 1), (3, 3)])
def test_fast_dev_run_takes_so_many_batches_and_keeps_nothing(cache: Path, tmp_path: Path, amount: int, batches: int):
    trainer, seen, _ = trained(cache, tmp_path, fast_dev_run=amount)
    assert (trainer.global_step, seen.val_batches) == (batches, min(batches, VAL_BATCHES))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("amount", "batches"), [(1, 1), (0.5, 1), (1.0, 2)])
def test_limit_val_batches_limits_validation_alone(cache: Path, tmp_path: Path, plain: list[Tensor], amount: float, batches: int):
    _, seen, weights = trained(cache, tmp_path, limit_val_batches=amount)
    assert seen.val_batches == 2 * batches
    assert all(torch.equal(a, b) for a, b in zip(weights, plain, strict=True))


def test_gradient_clipping_by_value_and_by_norm_differ_and_zero_and_null_clip_nothing(cache: Path, tmp_path: Path):
    clips: dict[str, dict[str, Any]] = {
        "none": {"gradient_clip_val": None}, "zero": {"gradient_clip_val": 0}, "norm": {"gradient_clip_val": 1e-3},
        "value": {"gradient_clip_val": 1e-3, "gradient_clip_algorithm": "value"},
    }  # fmt: skip
    first = {name: trained(cache, tmp_path / name, max_steps=3, **flags)[2] for name, flags in clips.items()}
    assert all(torch.equal(a, b) for a, b in zip(first["none"], first["zero"], strict=True))
    pairs = [("none", "norm"), ("norm", "value"), ("none", "value")]
    assert all(any(not torch.equal(x, y) for x, y in zip(first[a], first[b], strict=True)) for a, b in pairs)
