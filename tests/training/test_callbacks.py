"""Scores, sample strips and throughput as a training logs them."""

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image

from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.output_scores import distance_name
from maskgit_lab.training.callbacks.overfitting import FixedTrainLoss
from maskgit_lab.training.callbacks.samples import SampleStrips
from maskgit_lab.training.callbacks.scores import InpaintingScores
from maskgit_lab.training.callbacks.throughput import Throughput
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.optim import AdamSettings
from maskgit_lab.training.quiet import quiet_lightning
from tests.support.builders import boxes, datamodule, inpaint_set, model, tokenizer

pytestmark = pytest.mark.thorough

SETTINGS = DecodeSettings(schedule=Cosine(), num_steps=4)


def scores(**changes: Any) -> InpaintingScores:
    arguments = {
        "images": inpaint_set(6), "settings": SETTINGS, "extractor": TokenizerFeatures(tokenizer=tokenizer()),
        "batch_size": 4, **changes,
    }  # fmt: skip
    return InpaintingScores(**arguments)


class Log(Callback):
    """Keep every metric an epoch ends with."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self.epochs.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def fit(folder: Path, *callbacks: Callback, lr: float = 1e-2, epochs: int = 2, sanity: int = 1) -> MaskedTokenModule:
    quiet_lightning()
    trained = MaskedTokenModule(
        model=model(), tokenizer=tokenizer(), mask_schedule=Cosine(), optimizer=AdamSettings(lr=lr),
        holes=torch.from_numpy(boxes(5)),
    )  # fmt: skip
    data = datamodule(folder / "cache", batch_size=6)
    trainer = L.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, num_sanity_val_steps=sanity, log_every_n_steps=1,
        callbacks=list(callbacks),
    )  # fmt: skip
    trainer.fit(trained, datamodule=data)
    return trained


def test_inpainting_scores_equal_those_of_the_filled_images(tmp_path: Path):
    log = Log()
    trained = fit(tmp_path, scores(), log)
    pictures = inpaint_set(6)
    assert pictures.truth is not None
    filled = Filler(trained.model, trained.tokenizer, SETTINGS).fill(pictures.images, pictures.holes, range(6))
    difference = filled.composited.numpy().astype(float) - pictures.truth
    errors = [difference[i][pictures.holes[i]] for i in range(6)]
    found = log.epochs[-1]
    assert found["val/mae_hole"] == pytest.approx(np.mean([np.abs(e).mean() for e in errors]), rel=1e-4)
    psnr = np.mean([10 * np.log10(255**2 / (e**2).mean()) for e in errors])
    assert found["val/psnr_hole"] == pytest.approx(psnr, rel=1e-4)
    assert {"val/fd_tokenizer", "val/ssim_hole", "val/loss", "val/token_accuracy"} <= set(found)


def test_inpainting_scores_of_the_same_weights_are_the_same_every_epoch(tmp_path: Path):
    log = Log()
    fit(tmp_path, scores(), log, lr=1e-12)
    assert log.epochs[0]["val/psnr_hole"] == pytest.approx(log.epochs[1]["val/psnr_hole"], rel=1e-6)
    assert log.epochs[0]["val/loss"] == pytest.approx(log.epochs[1]["val/loss"], rel=1e-5)


def test_inpainting_scores_leave_the_training_mode_and_the_weights_alone(tmp_path: Path):
    with_scores, without = fit(tmp_path, scores()), fit(tmp_path)
    assert with_scores.model.training
    pairs = zip(with_scores.model.state_dict().values(), without.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_inpainting_scores_come_every_n_epochs_and_never_in_the_sanity_check(tmp_path: Path):
    every = scores(every_n_epochs=2)
    seen: list[int] = []
    every._update = lambda filler, rank, world_size: seen.append(rank)  # type: ignore[method-assign]
    every.distance.compute = lambda: torch.tensor(0.0)  # type: ignore[method-assign]
    every.hole_metrics = {}
    fit(tmp_path, every, epochs=5)
    assert len(seen) == 2


def test_distance_name_is_fid_for_the_inception_of_2015_only():
    assert distance_name("inception") == "fid"
    assert distance_name("inception_imagenet") == "fd_inception_imagenet"


def test_inpainting_scores_name_the_key_of_a_bad_interval():
    with pytest.raises(ValueError, match=r"callbacks.scores.every_n_epochs must be at least 1, got 0"):
        scores(every_n_epochs=0)


def test_sample_strips_are_written_per_epoch_and_show_input_and_truth(tmp_path: Path):
    pictures = inpaint_set(6)
    strips = SampleStrips(images=pictures, settings=SETTINGS, folder=tmp_path / "samples", num_images=3)
    fit(tmp_path, strips)
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["epoch_0000.png", "epoch_0001.png"]
    sheet = np.asarray(Image.open(tmp_path / "samples" / "epoch_0001.png"))
    assert pictures.truth is not None
    values = {tuple(v) for v in sheet[..., :3].reshape(-1, 3)}
    assert {tuple(v) for v in pictures.truth[:3].reshape(-1, 3)} <= values
    assert (128, 128, 128) in values
    assert not {tuple(v) for v in pictures.truth[3].reshape(-1, 3)} <= values


def test_fixed_train_loss_measures_training_images_with_the_masks_of_validation(tmp_path: Path):
    log = Log()
    trained = fit(tmp_path, FixedTrainLoss(num_images=20), log)
    data = datamodule(tmp_path / "cache", batch_size=6)
    data.setup("fit")
    trained.model.eval()
    with torch.no_grad():
        expected = trained.measured_loss(data.batch("train", np.arange(20)), 0)
        validation = trained.measured_loss(next(iter(data.val_dataloader())), 0)
    assert log.epochs[-1]["train/fixed_loss"] == pytest.approx(float(expected), rel=1e-5)
    assert log.epochs[-1]["val/loss"] == pytest.approx(float(validation), rel=1e-5)


def test_throughput_counts_images_per_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = iter(np.arange(0.0, 1000.0, 2.0))
    monkeypatch.setattr("maskgit_lab.training.callbacks.throughput.time.perf_counter", lambda: float(next(clock)))
    log = Log()
    fit(tmp_path, Throughput(every_n_steps=2), log, epochs=1, sanity=0)
    assert log.epochs[0]["train/images_per_second"] == pytest.approx(2 * 6 / 2.0)
