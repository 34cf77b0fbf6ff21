"""On a CUDA card: the same tokens, losses, gradients and scores as on a CPU, and every command from end to end."""

import json
import signal
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor, nn

from maskgit_lab.assembly.speed import compiled
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation.baselines import score_outputs
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.evaluation.frechet import frechet_distance
from maskgit_lab.evaluation.truth import read_truth
from maskgit_lab.fast.recorded import RecordedModel
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.discriminator import PatchDiscriminator
from maskgit_lab.models.filling import Fill, fill_holes
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.models.vqgan import VQGAN
from maskgit_lab.training.callbacks.interruption import StopBetweenBatches
from maskgit_lab.training.callbacks.overfitting import FixedTrainLoss
from maskgit_lab.training.callbacks.scores import InpaintingScores
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.optim import AdamSettings
from maskgit_lab.training.quiet import quiet_lightning
from maskgit_lab.training.tokenizer_module import TokenizerModule
from tests.support.builders import boxes, datamodule, inpaint_set, model, pictures, tokenizer
from tests.support.commands import SMALL_RUN, run_cold

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.thorough,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, torch finds none here"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning"),  # inside Lightning
    pytest.mark.filterwarnings("ignore:GPU available but not used"),
    pytest.mark.filterwarnings("ignore:.*TensorFloat32 tensor cores"),  # the compiler's advice
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),  # inside torch's compiler
]

CUDA = torch.device("cuda")
COUNT = 6


def labs_tokenizer() -> FrozenTokenizer:
    """Return the lab's architecture, narrow, with the codes among what its encoder makes of images."""
    torch.manual_seed(0)
    network = VQGAN(
        enc_channels=[32, 32, 32, 64, 64, 96], dec_channels=[32, 32, 64, 64, 96], latent_dim=16, img_resolution=32,
        latent_resolution=8, num_codebook_vectors=64, beta=0.25,
    )  # fmt: skip
    with torch.no_grad():
        latents = network.codebook.latents(network.features(torch.randn(4, 3, 32, 32))).flatten(0, 1)
        network.codebook.embedding.weight.copy_(latents[:: len(latents) // 64][:64])
    return FrozenTokenizer(network, mean=(0.5,) * 3, std=(0.25,) * 3)


TOKENIZERS = {"patch": tokenizer, "lab": labs_tokenizer}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_tokenizer_encodes_the_cpus_tokens_and_decodes_its_pixels(kind: str):
    images = torch.from_numpy(pictures(64, seed=3))
    here, there = TOKENIZERS[kind](), TOKENIZERS[kind]().to(CUDA)
    tokens = here.encode(images)
    assert torch.equal(there.encode(images).cpu(), tokens)
    assert len(tokens.unique()) > 8
    error = 255 * (there.decode(tokens).cpu() - here.decode(tokens)).abs()  # TF32, in grey levels
    assert error.max() < 2
    assert error.mean() < 0.1


@pytest.mark.parametrize("refresh", [None, 2], ids=["exact", "refreshed"])
@pytest.mark.parametrize("speed", ["plain", "fast"])
def test_fill_holes_gives_the_cpus_tokens(speed: str, refresh: int | None):
    if speed == "plain" and refresh:
        pytest.skip("partial refresh is the fast model's")
    images, holes = torch.from_numpy(pictures(COUNT)), torch.from_numpy(boxes(COUNT))

    def filled(where: torch.device, how: str) -> Fill:
        network = model(num_layers=2, speed=how).eval().to(where)
        settings = DecodeSettings(schedule=Cosine(), num_steps=5, refresh_every=refresh)
        generators = image_generators(0, "decode", range(COUNT))
        return fill_holes(network, tokenizer().to(where), images, holes, settings=settings, generators=generators)

    here, there = filled(torch.device("cpu"), "fast"), filled(CUDA, speed)
    assert torch.equal(there.trace.step_tokens.cpu(), here.trace.step_tokens)
    assert torch.equal(there.trace.step_masks.cpu(), here.trace.step_masks)
    assert (there.composited.cpu().int() - here.composited.int()).abs().max() <= 1
    known = ~holes
    assert torch.equal(there.composited.cpu()[known], images[known])


def stage2(**changes: Any) -> MaskedTokenModule:
    arguments: dict[str, Any] = {
        "model": model(dropout=0.0), "tokenizer": tokenizer(), "mask_schedule": Cosine(), "seed": 5, "encode_masked": True,
        "optimizer": AdamSettings(lr=1e-3, warmup_steps=2, decay="constant"), "holes": torch.from_numpy(boxes(7)),
    }  # fmt: skip
    return MaskedTokenModule(**{**arguments, **changes})


def gradients(module: nn.Module) -> list[Tensor]:
    return [torch.zeros(1) if p.grad is None else p.grad.cpu() for p in module.parameters()]


@pytest.mark.parametrize("speed", ["plain", "fast"])
def test_masked_loss_has_the_cpus_value_and_gradients(speed: str):
    images = torch.from_numpy(pictures(COUNT, seed=1))
    batch = {"tokens": tokenizer().encode(images), "images": images}
    found = []
    for where in ("cpu", "cuda"):
        module = stage2(model=model(dropout=0.0, speed=speed)).to(where)
        module.tokenizer.to(where)
        result = module._masked_loss({name: values.to(where) for name, values in batch.items()}, "train", 0, 1, 0)
        result.loss.backward()
        found.append((float(result.loss.detach()), float(result.accuracy), gradients(module.model)))
    assert found[1][:2] == pytest.approx(found[0][:2], rel=1e-5)
    for there, here in zip(found[1][2], found[0][2], strict=True):
        torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-5)


def fit(
    folder: Path, module: L.LightningModule, *, resume: bool = False, callbacks: tuple[Callback, ...] = (), **trainer: Any
) -> L.Trainer:
    """Train three epochs on the card; `trainer` are arguments of Lightning's."""
    quiet_lightning()
    last = ModelCheckpoint(folder, filename="last", save_on_exception=True, enable_version_counter=False)
    options: dict[str, Any] = {"accelerator": "gpu", "devices": 1, "max_epochs": 3, "precision": "32-true"}
    made = L.Trainer(
        logger=False, enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
        gradient_clip_val=1.0, callbacks=[StopBetweenBatches(), last, *callbacks], **{**options, **trainer},
    )  # fmt: skip
    data = datamodule(folder.parent / "cache", batch_size=5, flip=True, num_train_holes=7)
    made.fit(module, datamodule=data, ckpt_path=folder / "last.ckpt" if resume else None, weights_only=True)
    return made


class Stop(Callback):
    """Send this process SIGTERM in the middle of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_before_zero_grad(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            signal.raise_signal(signal.SIGTERM)


def on_cpu(module: MaskedTokenModule) -> list[Tensor]:
    return [value.cpu() for value in module.model.state_dict().values()]


def looking() -> tuple[Callback, ...]:
    scores = InpaintingScores(
        images=inpaint_set(7), settings=DecodeSettings(schedule=Cosine(), num_steps=3), batch_size=4,
        extractor=TokenizerFeatures(tokenizer=tokenizer().to(CUDA)),
    )  # fmt: skip
    return scores, FixedTrainLoss(num_images=7)


def test_training_logs_the_cpus_losses_and_scores(tmp_path: Path):
    logged = []
    for accelerator in ("cpu", "gpu"):
        trainer = fit(tmp_path / accelerator, stage2(), accelerator=accelerator, callbacks=looking())
        logged.append({name: float(value) for name, value in trainer.callback_metrics.items()})
    assert {"train/loss", "val/loss", "train/fixed_loss", "val/fd_tokenizer", "val/psnr_hole", "val/ssim_hole"} <= set(logged[0])
    for name in ("train/loss", "val/loss", "train/fixed_loss"):
        assert logged[1][name] == pytest.approx(logged[0][name], rel=1e-3)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_resumed_equals_an_uninterrupted_one(tmp_path: Path, precision: str):
    whole, first, second = (stage2(model=model()) for _ in range(3))
    fit(tmp_path / "whole", whole, precision=precision)
    with pytest.raises(SystemExit):
        fit(tmp_path / "parts", first, precision=precision, callbacks=(Stop(13),))
    fit(tmp_path / "parts", second, precision=precision, resume=True)
    # a card adds in an order of its own, so rounding is allowed
    for a, b in zip(on_cpu(whole), on_cpu(second), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    assert not torch.equal(on_cpu(first)[0], on_cpu(second)[0])


def test_training_by_ddp_on_one_card_is_that_of_one_device(tmp_path: Path):
    alone, distributed = stage2(), stage2()
    fit(tmp_path / "alone", alone)
    try:
        fit(tmp_path / "ddp", distributed, strategy="ddp")
    finally:
        torch.distributed.destroy_process_group()
    for a, b in zip(on_cpu(alone), on_cpu(distributed), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


# torch's compiler warns of its own doing, differently in every version
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("value", [True, "reduce-overhead", "graph"])
def test_training_compiled_is_training_as_it_comes(tmp_path: Path, value: bool | str):
    plain, other = stage2(model=model(dropout=0.0, num_layers=3)), model(dropout=0.0, num_layers=3)
    fit(tmp_path / "plain", plain, callbacks=looking())
    faster = stage2(model=compiled(other, value, recorded=value == "graph"))
    fit(tmp_path / "compiled", faster, callbacks=looking())
    for a, b in zip(on_cpu(plain), on_cpu(faster), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_recorded_has_fresh_dropout_each_step_and_resumes_alike(tmp_path: Path, precision: str):
    def recorded() -> MaskedTokenModule:
        return stage2(model=RecordedModel.of(model(dropout=0.3)))

    whole, first, second = (recorded() for _ in range(3))
    fit(tmp_path / "whole", whole, precision=precision)
    with pytest.raises(SystemExit):
        fit(tmp_path / "parts", first, precision=precision, callbacks=(Stop(13),))
    fit(tmp_path / "parts", second, precision=precision, resume=True)
    for a, b in zip(on_cpu(whole), on_cpu(second), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    images = torch.from_numpy(pictures(COUNT, seed=1)).to(CUDA)
    trained = recorded().to(CUDA)
    trained.tokenizer.to(CUDA)
    batch = {"tokens": trained.tokenizer.encode(images), "images": images}
    losses = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        losses.append(float(trained._masked_loss(batch, "train", 0, 0, 0).loss.detach()))
    assert losses[0] == pytest.approx(losses[2], rel=1e-5)
    assert losses[0] != pytest.approx(losses[1], rel=1e-5)


def test_tokenizer_training_runs_with_every_loss_in_bf16(tmp_path: Path):
    class Distance(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1), requires_grad=False)

        def forward(self, images: Tensor, targets: Tensor) -> Tensor:
            return self.scale * (images - targets).square().mean()

    module = TokenizerModule(
        model=labs_tokenizer().model.requires_grad_(True).train(), mean=(0.5,) * 3, std=(0.25,) * 3, lr=1e-3, total_steps=20,
        revive_after_steps=4, gan_start_step=3, perceptual=Distance(),
        discriminator=PatchDiscriminator(num_filters=4, num_layers=2),
    )  # fmt: skip
    images = [{"images": image} for image in torch.from_numpy(pictures(16))]
    loader: Any = torch.utils.data.DataLoader(images, batch_size=4)  # type: ignore[arg-type]
    trainer = L.Trainer(
        max_steps=12, accelerator="gpu", devices=1, precision="bf16-mixed", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(module, loader, loader)
    assert {"train/loss", "train/loss_gan", "val/psnr"} <= set(trainer.callback_metrics)
    assert all(torch.isfinite(value) for value in trainer.callback_metrics.values())


def test_scores_are_the_cpus(tmp_path: Path):
    test, outputs = inpaint_set(16), pictures(16, seed=4)
    assert test.truth is not None
    found = []
    for where in ("cpu", "cuda"):
        extractor = TokenizerFeatures(tokenizer=tokenizer().to(where))
        truth = read_truth(test.truth, test.holes, extractor, cache=tmp_path / where, batch_size=5, device=where)
        found.append(score_outputs(outputs, truth, batch_size=5, device=where))
    assert found[1] == pytest.approx(found[0], rel=1e-4, abs=1e-6)


def test_frechet_distance_is_the_cpus():
    a, b = (torch.randn(40, 64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert frechet_distance(a.cuda(), b.cuda()) == pytest.approx(frechet_distance(a, b), rel=1e-9)


@pytest.fixture(scope="module")
def trained_there(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Return folder, working directory and home of a run that was trained on the card by the command."""
    cwd, home = tmp_path_factory.mktemp("cuda_cwd"), tmp_path_factory.mktemp("cuda_home")
    answer = run_cold("train", "experiment=cosine", "logger=csv", *SMALL_RUN, "trainer.accelerator=gpu", "trainer.precision=auto",
                      cwd=cwd, home=home)  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (folder,) = (cwd / "runs" / "cosine").iterdir()
    return folder, cwd, home


def test_train_leaves_a_run_that_used_the_card(trained_there: tuple[Path, Path, Path]):
    result = json.loads((trained_there[0] / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["peak_memory_gib"]["device"] > 0
    assert {"fd_tokenizer", "psnr_hole"} <= set(result["scores"][0])


def test_checkpoints_of_the_card_are_read_on_the_cpu_and_fill_alike(trained_there: tuple[Path, Path, Path]):
    images, holes = pictures(COUNT, resolution=64), boxes(COUNT, resolution=64)
    here, there = (Inpainter.from_run(trained_there[0], device=where)(images, holes, steps=True) for where in ("cpu", "cuda"))
    assert np.array_equal(here.step_masks, there.step_masks)
    assert np.abs(here.composited.astype(int) - there.composited.astype(int)).max() <= 1


def test_resume_and_evaluate_run_on_the_card(trained_there: tuple[Path, Path, Path]):
    folder, cwd, home = trained_there
    more = run_cold("train", f"resume={folder}", "trainer.max_epochs=3", cwd=cwd, home=home)
    assert more.returncode == 0, more.stdout + more.stderr
    answer = run_cold("evaluate", f"run={folder}", "seeds=[0]", "device=cuda", "precision=bf16-mixed", cwd=cwd, home=home)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert len(json.loads((folder / "evaluation" / "evaluation.json").read_text())["cells"]) == 18
