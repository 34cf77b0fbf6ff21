"""A loss that is not finite: training stops, names the batch, and the weights are those of before."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from torch import Tensor, nn

from maskgit_lab.assembly.load import load_weights
from maskgit_lab.models.codebook import Codebook
from maskgit_lab.training.codebook_revival import CodebookRevival
from maskgit_lab.training.divergence import READ_EVERY, DivergedError, DivergenceGuard, gradient_norm, require_finite_weights
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.muon import Muon
from maskgit_lab.training.optim import AdamSettings
from maskgit_lab.training.tokenizer_module import TokenizerModule
from maskgit_lab.training.tokenizer_training import one_colour_psnr, say_what_has_not_learned, train_tokenizer
from tests.support.builders import datamodule, model, small_trainer, splits, stage_2, tokenizer

pytestmark = pytest.mark.thorough


class Harm(Callback):
    """Make the loss of one training batch, or its gradient, something else."""

    def __init__(self, *, batch: int, value: float, gradient: bool = False) -> None:
        self.batch, self.value, self.gradient = batch, value, gradient
        self.before: list[Tensor] = []

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step != self.batch:
            return
        assert isinstance(pl_module, MaskedTokenModule)
        self.before = [value.clone() for value in pl_module.state_dict().values()]
        healthy = pl_module._masked_loss

        def harmed(*args: Any, **more: Any) -> Any:
            result = healthy(*args, **more)
            return replace(result, loss=result.loss * self.value)

        if not self.gradient:
            pl_module._masked_loss = harmed  # type: ignore[method-assign]

    def on_after_backward(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.global_step == self.batch and self.gradient:
            next(pl_module.parameters()).grad[..., 0] = self.value  # type: ignore[index]


def fit(folder: Path, trained: MaskedTokenModule, *callbacks: Callback, **flags: Any) -> L.Trainer:
    best = ModelCheckpoint(folder, filename="best", monitor="val/loss", enable_version_counter=False)
    last = ModelCheckpoint(folder, filename="last", save_on_exception=True, enable_version_counter=False)
    trainer = small_trainer(callbacks=[*callbacks, best, last], **flags)
    trainer.fit(trained, datamodule=datamodule(folder / "cache", batch_size=6))
    return trainer


def kept(folder: Path, name: str = "last") -> list[Tensor]:
    return list(torch.load(folder / f"{name}.ckpt", weights_only=True)["state_dict"].values())


@pytest.mark.parametrize(("harm", "matrix_lr"), [
    ({"value": torch.nan}, None), ({"value": torch.inf}, 1e-2), ({"value": torch.nan, "gradient": True}, 1e-2),
    ({"value": -torch.inf, "gradient": True}, None),
], ids=str)  # fmt: skip
def test_divergence_guard_stops_at_the_first_batch_and_keeps_the_weights_of_before(
    tmp_path: Path, harm: dict[str, Any], matrix_lr: float | None
):
    trained, callback = stage_2(lr=1e-2, matrix_lr=matrix_lr), Harm(batch=5, **harm)
    message = r"stage 2 or its gradient is not finite .* at epoch 1, batch 1 \(both from 0\), learning rate .*0.0\d+.*: stopped"
    with pytest.raises(DivergedError, match=message):
        fit(tmp_path, trained, callback)
    assert callback.before
    assert all(torch.equal(a, b) for a, b in zip(callback.before, trained.state_dict().values(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(callback.before, kept(tmp_path), strict=True))


def test_divergence_guard_leaves_a_healthy_run_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    guarded, bare = stage_2(), stage_2()
    fit(tmp_path, guarded)
    monkeypatch.setattr(DivergenceGuard, "protect", lambda *_: None)
    monkeypatch.setattr(DivergenceGuard, "watch", lambda *_: None)
    fit(tmp_path, bare)
    assert all(torch.equal(a, b) for a, b in zip(guarded.state_dict().values(), bare.state_dict().values(), strict=True))


def test_masked_token_module_never_ends_with_weights_that_are_not_finite(tmp_path: Path):
    trained = stage_2(lr=100.0, warmup_steps=0)
    try:
        fit(tmp_path, trained, max_epochs=3)
    except DivergedError as error:
        assert "Try a lower optimizer.lr" in str(error)  # noqa: PT017
    for name in ("best", "last"):
        if (tmp_path / f"{name}.ckpt").is_file():
            assert all(bool(value.isfinite().all()) for value in kept(tmp_path, name))


def test_masked_token_module_stops_at_a_validation_loss_that_is_not_finite_and_it_is_never_the_best(tmp_path: Path):
    class Broken(MaskedTokenModule):
        def _masked_loss(self, batch: Any, stream: str, *counters: int, share: Any = None) -> Any:
            result = super()._masked_loss(batch, stream, *counters, share=share)
            if stream == "val" and self.current_epoch == 1:
                result.loss.fill_(torch.nan)
            return result

    trained = stage_2()
    trained.__class__ = Broken
    with pytest.raises(DivergedError, match=r"val/loss is not finite .* in epoch 1 \(from 0\)"):
        fit(tmp_path, trained, max_epochs=3)
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] == 0


def test_masked_token_module_writes_no_checkpoint_of_weights_that_are_not_finite(tmp_path: Path):
    class Poison(Callback):
        def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
            if trainer.current_epoch == 1:
                next(pl_module.parameters()).data.view(-1)[3] = torch.nan

    with pytest.raises(DivergedError, match=r"no checkpoint is written: 1 of \d+ tensors are not finite \(model\."):
        fit(tmp_path, stage_2(), Poison(), max_epochs=2, check_val_every_n_epoch=1)
    assert all(bool(value.isfinite().all()) for value in kept(tmp_path))


def test_masked_token_module_keeps_averaged_and_raw_weights_of_before(tmp_path: Path):
    with pytest.raises(DivergedError):
        fit(tmp_path, stage_2(), Harm(batch=3, value=torch.nan), EMAWeightAveraging(decay=0.9, use_buffers=False))
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    for weights in (content["state_dict"], content["current_model_state"]):
        assert all(bool(value.isfinite().all()) for value in weights.values())


def test_masked_token_module_stops_at_a_bad_batch_within_an_accumulation_window(tmp_path: Path):
    trained, harm = stage_2(), Harm(batch=1, value=torch.nan)
    with pytest.raises(DivergedError, match=r"epoch 0, batch 2 "):
        fit(tmp_path, trained, harm, accumulate_grad_batches=2)
    assert all(bool(value.isfinite().all()) for value in trained.state_dict().values())


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 20))


def step(network: nn.Module, optimizer: torch.optim.Optimizer, value: float = 1.0) -> None:
    optimizer.zero_grad()
    (network(torch.ones(3, 20)).square().mean() * value).backward()
    optimizer.step()


@pytest.mark.parametrize("kind", ["adam", "muon"])
def test_found_inf_leaves_out_an_update_and_nothing_else(kind: str):
    networks = two_layers(), two_layers()
    pairs = [(n, AdamSettings(lr=1e-2, matrix_lr=None if kind == "adam" else 1e-2).build(n, lambda: 9)[0]) for n in networks]
    for network, optimizer in pairs:
        step(network, optimizer)
    network, optimizer = pairs[0]
    optimizer.found_inf = torch.ones(())  # type: ignore[attr-defined]
    step(network, optimizer, torch.nan)
    optimizer.found_inf = torch.zeros(())  # type: ignore[attr-defined]
    for network, optimizer in pairs:
        step(network, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(*(n.state_dict().values() for n in networks), strict=True))


def test_muon_puts_back_what_it_moved_where_the_flag_is_on_the_device():
    network, other = two_layers(), two_layers()
    optimizers = [Muon(n, lr=1e-2, matrix_lr=1e-2, betas=(0.9, 0.99), weight_decay=0.1) for n in (network, other)]
    for made, optimizer in zip((network, other), optimizers, strict=True):
        step(made, optimizer)
    weight, same = network[0].weight, other[0].weight
    assert isinstance(weight, nn.Parameter)
    assert isinstance(same, nn.Parameter)
    group = optimizers[0].param_groups[0]
    weight.grad = torch.full_like(weight, torch.nan)
    with torch.no_grad():
        optimizers[0]._move(weight, group, torch.ones(()))
        weight.grad = same.grad
        for moved, optimizer in zip((weight, same), optimizers, strict=True):
            optimizer._move(moved, group, torch.zeros(()))
    assert torch.equal(weight, same)


def test_divergence_guard_reads_a_devices_flag_now_and_then_and_still_names_the_first_batch():
    guard = DivergenceGuard(stage="s", keys="k")
    guard._first = torch.full((), -1, dtype=torch.int64, device="meta")
    guard._note = lambda value: None  # type: ignore[method-assign]
    for number in range(READ_EVERY - 1):
        guard.watch(torch.zeros(()), f"batch {number}")
        guard.look()  # would fail: a meta tensor has no value
    with pytest.raises((RuntimeError, NotImplementedError)):
        guard.look(now=True)


def test_divergence_guards_flag_is_a_scalar_whatever_the_losses_shape():
    guard, network = DivergenceGuard(stage="stage 1", keys="less"), nn.Linear(2, 2)
    optimizer = torch.optim.Adam(network.parameters())
    for loss in (torch.ones(1), torch.tensor([torch.nan])):  # a perceptual loss of one's own
        guard.watch(loss, "a batch")
        guard.protect(optimizer, torch.ones(()))
        assert guard._first is not None
        assert guard._first.shape == ()
    with pytest.raises(DivergedError, match="a batch"):
        guard.look(now=True)


def test_require_finite_weights_names_the_tensors():
    weights = {"a": torch.zeros(3), "b": torch.tensor([1.0, torch.nan]), "steps": torch.tensor(3), "c": torch.tensor([torch.inf])}
    with pytest.raises(DivergedError, match=r"best.ckpt: 2 of 3 tensors are not finite \(b, c\)"):
        require_finite_weights(weights, "best.ckpt")
    require_finite_weights({"a": torch.zeros(3)}, "best.ckpt")
    assert not bool(gradient_norm([nn.Parameter(torch.zeros(2))]).isnan())


def test_train_tokenizer_that_diverges_leaves_nothing_to_go_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = TokenizerModule.update

    def harmed(self: TokenizerModule, loss: Tensor, step: int, **given: Any) -> None:
        whole(self, loss * torch.nan if step == 3 else loss, step, **given)

    monkeypatch.setattr(TokenizerModule, "update", harmed)
    arguments: dict[str, Any] = {
        "splits": splits(), "mean": (0.5,) * 3, "std": (0.25,) * 3, "flip": False, "seed": 0, "folder": tmp_path / "run",
        "checkpoints": tmp_path / "kept", "max_steps": 6, "batch_size": 4, "val_every_n_steps": 2, "accelerator": "cpu", "lr": 1e-3,
    }  # fmt: skip
    network = tokenizer().model.requires_grad_(True).train()
    with pytest.raises(DivergedError, match=r"the loss of stage 1 or its gradient .* at step 3 .* Try a lower tokenizer"):
        train_tokenizer(model=network, **arguments)
    assert all(bool(value.isfinite().all()) for value in network.state_dict().values())
    assert not list((tmp_path / "kept").glob("*"))


def test_tokenizer_that_has_not_learned_is_told_from_one_that_has_only_begun(caplog: pytest.LogCaptureFixture):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    error = [np.mean((image / 255 - np.array([0.5, 0.4, 0.3])) ** 2) for image in images.astype(np.float64)]
    one_colour = one_colour_psnr(images, (0.5, 0.4, 0.3))
    assert one_colour == pytest.approx(np.mean([-10 * math.log10(value) for value in error]), abs=1e-4)
    say_what_has_not_learned(one_colour - 0.5, one_colour)
    assert not caplog.records
    say_what_has_not_learned(one_colour - 4, one_colour)
    assert "the tokenizer has not learned" in caplog.text
    assert "tokenizer.training.lr" in caplog.text


def test_codebook_revival_moves_no_entry_onto_a_latent_that_is_not_finite():
    codebook, revival = (
        Codebook(num_codebook_vectors=6, latent_dim=3),
        CodebookRevival(num_codebook_vectors=6, after_steps=5, seed=0),
    )
    rows = torch.ones(4, 3)
    rows[1:, 0] = torch.nan
    assert revival.move(codebook, rows, 0) == 6
    assert bool((codebook.embedding.weight == 1).all())
    assert revival.move(codebook, rows[1:], 0) == 0


def test_load_weights_refuses_weights_that_are_not_finite(tmp_path: Path):
    network, frozen = model(), tokenizer()
    weights = {f"model.{name}": value.clone() for name, value in network.state_dict().items()}
    next(iter(weights.values())).view(-1)[0] = torch.nan
    of_training = {"epoch": 0, "global_step": 1, "pytorch-lightning_version": "2"}
    torch.save({"state_dict": weights, "tokenizer_sha256": frozen.sha256, **of_training}, tmp_path / "best.ckpt")
    with pytest.raises(DivergedError, match=r"best.ckpt: training diverged: 1 of \d+ tensors are not finite"):
        load_weights(network, tmp_path / "best.ckpt", frozen)
