"""Whole small runs of what the demo does not use: plain networks, the lab's recipe, folders, averaged weights, TensorBoard."""

import json
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from maskgit_lab.assembly.read import load_config
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.training import loggers
from tests.support.builders import boxes, pictures, write_pictures
from tests.support.commands import NO_FIGURES, SMALL_RUN, run, shared_cache

pytestmark = pytest.mark.slow

QUICK = ("callbacks.scores=null", "callbacks.samples=null", "logger=csv")


def completed(tmp_path: Path, *overrides: str, draws: bool = False) -> Path:
    answer = run(
        "train", "name=variant", *overrides, *QUICK, shared_cache(), cwd=tmp_path, home=tmp_path / "home",
        variables={} if draws else NO_FIGURES,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "warn" not in (answer.stdout + answer.stderr).lower()
    (folder,) = (tmp_path / "runs" / "variant").iterdir()
    assert json.loads((folder / "result.json").read_text())["status"] == "completed"
    return folder


def test_train_takes_a_folder_of_photographs(tmp_path: Path):
    write_pictures(tmp_path / "photos", pictures(80, resolution=96), name="photo_{}.jpg")
    small = [override for override in SMALL_RUN if not override.startswith("data.source")]
    folder = completed(
        tmp_path, "data=image_folder", "data.root=photos", "data.source.val_share=0.3", *small, "trainer.max_epochs=1"
    )
    assert "photos, split clean" in json.loads((folder / "result.json").read_text())["data"]


def test_train_at_128_pixels_goes_through_to_fills_and_figures(tmp_path: Path):
    fewer = ("data.source.num_train=16", "data.source.num_val=8", "tokenizer.training.max_steps=2", "trainer.max_epochs=1")
    folder = completed(tmp_path, "resolution=128", *SMALL_RUN, *fewer, draws=True)
    assert len(list((folder / "figures").glob("schedule_*.png"))) == 6
    inpainter = Inpainter.from_run(folder, device="cpu")
    assert (inpainter.resolution, inpainter.filler.tokenizer.grid) == (128, 16)
    assert inpainter(pictures(2, resolution=128), boxes(2, resolution=128)).composited.shape == (2, 128, 128, 3)
    assert load_config(folder).resolution == 128


def test_train_runs_the_labs_recipe_with_its_losses_at_a_small_size(tmp_path: Path):
    discriminator = "{_target_: maskgit_lab.models.discriminator.PatchDiscriminator, num_filters: 8, num_layers: 2}"
    folder = completed(
        tmp_path, "recipe=lab", "tokenizer=vqgan_tiny", "tokenizer.model.enc_channels=[32,32,32,32,32,32]",
        "tokenizer.model.dec_channels=[32,32,32,32,32]", f"tokenizer.training.discriminator={discriminator}",
        "tokenizer.training.gan_start_step=2", "tokenizer.training.max_steps=4", "tokenizer.training.val_every_n_steps=2",
        "tokenizer.training.batch_size=4",
        "data.source.num_train=16", "data.source.num_val=8", "data.source.num_test=4", "data.num_val_fills=4",
        "model.transformer.dim=32", "model.transformer.num_layers=1", "model.transformer.num_heads=2",
        "model.transformer.hidden_dim=32", "trainer.max_epochs=1", "trainer.precision=32-true", "decode.figure_steps=4",
        draws=True,
    )  # fmt: skip
    names = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert all(name.startswith("model.transformer.") for name in names)


def test_train_with_plain_networks_fills_and_the_run_says_so(tmp_path: Path):
    folder = completed(tmp_path, "speed=plain", *SMALL_RUN, "trainer.max_epochs=1")
    assert load_config(folder).speed == "plain"
    images, masks = pictures(3, resolution=64), boxes(3, resolution=64)
    fills = {speed: Inpainter.from_run(folder, device="cpu", speed=speed) for speed in (None, "plain", "fast")}
    tokens = {speed: made.filler.fill(images, masks, range(3)).tokens for speed, made in fills.items()}
    assert type(fills[None].filler.model) is type(fills["plain"].filler.model) is MaskedTokenModel
    assert torch.equal(tokens["plain"], tokens["fast"])


def test_train_keeps_averaged_weights_and_the_raw_ones_beside_them(tmp_path: Path):
    folder = completed(tmp_path, "callbacks=ema", "callbacks.ema.decay=0.9", *SMALL_RUN, "trainer.max_epochs=1")
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    raw, averaged = content["current_model_state"], content["state_dict"]
    assert set(raw) == set(averaged)
    assert any(not torch.equal(raw[name], averaged[name]) for name in averaged)


def test_train_gives_tensorboard_curves_and_images(tmp_path: Path):
    arguments = ["name=variant", *SMALL_RUN, shared_cache(), "logger=tensorboard", "trainer.max_epochs=1"]
    answer = run("train", *arguments, cwd=tmp_path, home=tmp_path / "home")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "warn" not in (answer.stdout + answer.stderr).lower()
    (folder,) = (tmp_path / "runs" / "variant").iterdir()
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert {"val/loss", "val/psnr_hole", "train/fixed_loss"} <= set(events.Tags()["scalars"])
    assert {"val/samples", "figures/fills", "figures/schedule_cosine"} <= set(events.Tags()["images"])
    result = json.loads((folder / "result.json").read_text())
    assert events.Scalars("val/loss")[0].value == pytest.approx(result["monitor"]["best"])
    assert not (folder / "wandb").exists()


def test_tensorboard_logger_that_is_not_installed_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def missing(**_: object) -> None:
        raise ModuleNotFoundError("No module named 'tensorboard'")

    monkeypatch.setattr(loggers, "TensorBoardLogger", missing)
    with pytest.raises(ValueError, match="logger=tensorboard needs TensorBoard: pip install tensorboard"):
        loggers.tensorboard_logger(folder=tmp_path)
