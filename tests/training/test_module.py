"""Stage 2: what is hidden, what the network sees, what a checkpoint holds, and that resuming changes nothing."""

import signal
import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from torch import Tensor

from maskgit_lab.core.batch_share import BatchShare
from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.randomness import generator
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.data.hole_draw import HoleDraw
from maskgit_lab.fast.model import FastModel
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.training.callbacks.interruption import StopBetweenBatches
from maskgit_lab.training.module import MaskedTokenModule
from maskgit_lab.training.optim import AdamSettings
from maskgit_lab.training.quiet import quiet_lightning
from maskgit_lab.training.tokenizer_module import TokenizerModule
from tests.support.builders import boxes, datamodule, model, pictures, tokenizer

pytestmark = pytest.mark.thorough


class Spy(FastModel):
    """Keep what the network was shown."""

    def __init__(self, inner: MaskedTokenModel) -> None:
        super().__init__(transformer=inner.transformer, context=inner.context)
        self.tokens: list[Tensor] = []

    def hidden_logits(self, tokens: Tensor, hidden: Tensor, context: Tensor | None = None) -> Tensor:
        self.tokens.append(tokens)
        return super().hidden_logits(tokens, hidden, context)


def module(**changes: Any) -> MaskedTokenModule:
    arguments: dict[str, Any] = {
        "model": Spy(model()), "tokenizer": tokenizer(), "mask_schedule": Cosine(), "seed": 5,
        "optimizer": AdamSettings(lr=1e-2, warmup_steps=2), "holes": torch.from_numpy(boxes(7)), "encode_masked": True,
    }  # fmt: skip
    return MaskedTokenModule(**{**arguments, **changes})


def batch(count: int = 6) -> dict[str, Tensor]:
    images = torch.from_numpy(pictures(count, seed=1))
    return {"tokens": tokenizer().encode(images), "images": images}


def shown(trained: MaskedTokenModule) -> Tensor:
    assert isinstance(trained.model, Spy)
    return trained.model.tokens[-1]


def drawn_holes(trained: MaskedTokenModule, count: int) -> Tensor:
    """Return the holes that `_masked_loss` draws for a batch of validation."""
    assert trained.holes is not None
    draws = HoleDraw.of(len(trained.holes), count, generator(trained.seed, "val/holes", 0))
    return draws.holes(trained.holes)


def test_masked_loss_hides_only_tokens_under_the_hole_and_some_of_each_image():
    trained = module()
    trained._masked_loss(batch(), "val", 0)
    hidden = shown(trained) == 16
    under_hole = token_mask(drawn_holes(trained, 6), grid=8)
    assert (hidden <= under_hole).all()
    assert hidden.any(1).all()
    assert not torch.equal(hidden, under_hole)


def test_masked_loss_shows_tokens_of_the_masked_image_outside_the_hole_and_the_truth_inside():
    trained, pictured = module(), batch()
    trained._masked_loss(pictured, "val", 0)
    holes = drawn_holes(trained, 6)
    masked = tokenizer().encode(pictured["images"].masked_fill(holes[..., None], 128))
    under_hole, visible = token_mask(holes, grid=8), shown(trained) != 16
    assert torch.equal(shown(trained)[~under_hole], masked[~under_hole])
    assert torch.equal(shown(trained)[under_hole & visible], pictured["tokens"][under_hole & visible])


def test_masked_loss_of_the_labs_training_hides_anywhere_and_reads_no_images():
    trained = module(model=Spy(model(context=False)), holes=None, encode_masked=False)
    for step in range(8):
        trained._masked_loss({"tokens": batch()["tokens"]}, "train", 0, step, 0)
    assert isinstance(trained.model, Spy)
    assert all((torch.stack(trained.model.tokens) == 16).any(0).any(0))


def test_masked_loss_has_other_masks_each_step_and_the_same_for_the_same_counters():
    trained = module()
    seen = []
    for counters in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 0)]:
        trained._masked_loss(batch(), "train", *counters)
        seen.append(shown(trained))
    assert torch.equal(seen[0], seen[3])
    assert all(not torch.equal(seen[0], other) for other in seen[1:3])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_masked_loss_does_not_wait_for_the_device():
    trained, pictured = module().cuda(), {name: values.cuda() for name, values in batch().items()}
    trained.tokenizer.to(torch.device("cuda"))
    trained._masked_loss(pictured, "train", 0, 0, 0).loss.backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        trained._masked_loss(pictured, "train", 0, 1, 0).loss.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("stage", [1, 2])
def test_setup_moves_what_lightning_does_not_know_to_the_strategys_device(stage: int):
    """Lightning moves the module itself only after this hook: `self.device` is still the CPU."""
    there = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")), world_size=1)
    if stage == 2:
        trained = module()
        trained._trainer = there  # type: ignore[assignment]
        trained.setup("fit")
        assert trained.tokenizer.device.type == "meta"
    else:
        perceptual = torch.nn.Linear(1, 1)
        first = TokenizerModule(model=tokenizer().model, mean=(0.5,), std=(0.5,), lr=1e-3, total_steps=1, perceptual=perceptual)
        first._trainer = there  # type: ignore[assignment]
        first.setup("fit")
        assert perceptual.weight.device.type == "meta"


def test_masked_loss_shows_two_ranks_what_one_process_with_the_whole_batch_is_shown():
    trained, whole = module(), batch(6)
    trained.eval()
    loss = trained._masked_loss(whole, "train", 0, 3).loss.detach()
    expected = shown(trained)
    losses = []
    for rank in range(2):
        own = {name: values[rank::2] for name, values in whole.items()}
        losses.append(trained._masked_loss(own, "train", 0, 3, share=BatchShare(6, rank, 2)).loss.detach())
        assert torch.equal(shown(trained), expected[rank::2])
    assert float(sum(losses) / 2) == pytest.approx(float(loss), rel=1e-6)


@pytest.mark.parametrize("what", ["context", "encode_masked"])
def test_masked_token_module_refuses_what_needs_holes_without_them(what: str):
    changes = {"model": model(context=what == "context"), "encode_masked": what == "encode_masked"}
    with pytest.raises(ValueError, match=r"need training.mask_region=hole"):
        module(holes=None, **changes)


class Signal(Callback):
    """Send this process a signal in the middle of a step."""

    def __init__(self, step: int, number: signal.Signals) -> None:
        self.step, self.number = step, number

    def on_before_zero_grad(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            signal.raise_signal(self.number)


class Shaken(Callback):
    """Turn the global generator before every step, as other code in the process might."""

    def on_train_batch_start(self, *_: Any) -> None:
        torch.rand(3)


def fit(
    folder: Path, trained: MaskedTokenModule, *, callbacks: list[Callback], resume: bool = False, accumulate: int = 1
) -> L.Trainer:
    quiet_lightning()
    last = ModelCheckpoint(folder, filename="last", save_on_exception=True, enable_version_counter=False)
    trainer = L.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        use_distributed_sampler=False, gradient_clip_val=1.0, precision="32-true", num_sanity_val_steps=0,
        accumulate_grad_batches=accumulate, callbacks=[last, *callbacks],
    )  # fmt: skip
    data = datamodule(folder.parent / "cache", batch_size=5, flip=True, num_train_holes=7)
    trainer.fit(trained, datamodule=data, ckpt_path=folder / "last.ckpt" if resume else None, weights_only=True)
    return trainer


def ema() -> list[Callback]:
    return [EMAWeightAveraging(decay=0.9, use_buffers=False)]


def weights(trained: MaskedTokenModule) -> list[Tensor]:
    return list(trained.model.state_dict().values())


@cache  # the same for all stops
def undisturbed(*, averaged: bool = False, accumulate: int = 1) -> list[Tensor]:
    """Return the weights after a training that nothing stopped."""
    whole = module()
    with tempfile.TemporaryDirectory() as folder:
        fit(Path(folder, "whole"), whole, callbacks=ema() if averaged else [], accumulate=accumulate)
    return weights(whole)


@pytest.mark.xdist_group("stops")
@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize(("number", "stop"), [(signal.SIGINT, 4), (signal.SIGTERM, 8), (signal.SIGINT, 9), (signal.SIGTERM, 13)])
def test_masked_token_module_stopped_and_resumed_equals_an_uninterrupted_one(
    tmp_path: Path, stop: int, averaged: bool, number: signal.Signals
):
    extra = ema if averaged else list
    whole = undisturbed(averaged=averaged)
    first, second = module(), module()
    with pytest.raises(SystemExit):
        fit(tmp_path / "parts", first, callbacks=[StopBetweenBatches(), *extra(), Signal(stop, number)])
    fit(tmp_path / "parts", second, callbacks=[Shaken(), *extra()], resume=True)
    assert all(torch.equal(a, b) for a, b in zip(whole, weights(second), strict=True))
    assert not torch.equal(weights(first)[0], weights(second)[0])


class SignalInBatch(Callback):
    """Send a signal while a batch of the given number in all is worked on, or while an epoch is validated."""

    def __init__(self, batch: int, number: signal.Signals, *, validating: bool = False) -> None:
        self.batch, self.number, self.validating = batch, number, validating

    def on_after_backward(self, trainer: L.Trainer, *_: Any) -> None:
        if not self.validating and trainer.fit_loop.epoch_loop.batch_progress.total.ready == self.batch:
            signal.raise_signal(self.number)

    def on_validation_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        if self.validating and trainer.fit_loop.epoch_loop.batch_progress.total.ready == self.batch:
            signal.raise_signal(self.number)


# nine batches an epoch: 1 and 3 begin an update of two, 9 ends one alone, 10 begins one in the next epoch
@pytest.mark.xdist_group("stops")
@pytest.mark.parametrize(
    ("number", "batch"), [(signal.SIGTERM, 1), (signal.SIGINT, 2), (signal.SIGTERM, 3), (signal.SIGINT, 9), (signal.SIGTERM, 10)]
)
def test_stop_between_batches_waits_for_the_end_of_an_update_that_gathers_batches(
    tmp_path: Path, batch: int, number: signal.Signals
):
    whole = undisturbed(accumulate=2)
    first, second = module(), module()
    with pytest.raises(SystemExit):
        fit(tmp_path / "parts", first, callbacks=[StopBetweenBatches(), SignalInBatch(batch, number)], accumulate=2)
    fit(tmp_path / "parts", second, callbacks=[Shaken()], resume=True, accumulate=2)
    assert all(torch.equal(a, b) for a, b in zip(whole, weights(second), strict=True))
    assert not torch.equal(weights(first)[0], weights(second)[0])


def test_stop_between_batches_lets_a_validation_end_so_that_its_epoch_is_not_scored_on_half_of_it(tmp_path: Path):
    def best() -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path / "parts", filename="best", monitor="val/loss", enable_version_counter=False)

    whole, first = best(), best()
    fit(tmp_path / "parts", module(), callbacks=[whole])
    stop = SignalInBatch(9, signal.SIGTERM, validating=True)
    with pytest.raises(SystemExit):
        fit(tmp_path / "parts", module(), callbacks=[StopBetweenBatches(), first, stop])
    second = best()
    fit(tmp_path / "parts", module(), callbacks=[second], resume=True)
    assert first.best_model_score is not None  # the epoch that was being validated
    assert second.best_model_score == whole.best_model_score


def test_stop_between_batches_leaves_the_checkpoint_of_before_when_an_update_ends_half_way(tmp_path: Path):
    class Broken(Callback):
        def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
            if trainer.fit_loop.epoch_loop.batch_progress.total.ready == 11:
                raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        fit(tmp_path / "run", module(), callbacks=[StopBetweenBatches(), Broken()], accumulate=4)
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["epoch"] == 0  # its end, not the half update


def test_stop_between_batches_leaves_the_checkpoint_of_before_when_a_validation_fails(tmp_path: Path):
    class Broken(Callback):
        def on_validation_epoch_end(self, trainer: L.Trainer, *_: Any) -> None:
            if trainer.current_epoch == 1:
                raise RuntimeError("no score")

    with pytest.raises(RuntimeError):
        fit(tmp_path / "run", module(), callbacks=[StopBetweenBatches(), Broken()])
    assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["epoch"] == 0
    early = EarlyStopping("val/loss")  # fails where an epoch has no score
    assert fit(tmp_path / "run", module(), callbacks=[early], resume=True).current_epoch == 3


def test_stop_between_batches_stops_at_once_at_a_second_ctrl_c_and_gives_it_back(tmp_path: Path):
    before = signal.getsignal(signal.SIGINT)
    trained = module()
    presses: list[Callback] = [Signal(3, signal.SIGINT), Signal(3, signal.SIGINT)]
    with pytest.raises(SystemExit) as stopped:
        fit(tmp_path / "run", trained, callbacks=[StopBetweenBatches(), *presses])
    assert stopped.value.code == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_masked_token_module_checkpoint_holds_the_network_alone_and_loads_without_code(tmp_path: Path):
    trained = module()
    fit(tmp_path / "run", trained, callbacks=[])
    content = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert set(content["state_dict"]) == {f"model.{name}" for name in trained.model.state_dict()}
    assert content["tokenizer_sha256"] == trained.tokenizer.sha256


def test_masked_token_module_refuses_weights_of_another_tokenizer(tmp_path: Path):
    fit(tmp_path / "run", module(), callbacks=[])
    with pytest.raises(ValueError, match="the checkpoint was trained on tokens of tokenizer"):
        fit(tmp_path / "run", module(tokenizer=tokenizer(seed=1)), callbacks=[], resume=True)


def test_model_checkpoint_last_is_the_last_epoch_and_best_the_first_when_the_loss_rises(tmp_path: Path):
    class Rising(MaskedTokenModule):
        def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
            self.log("val/loss", float(self.current_epoch))

    trained = module()
    trained.__class__ = Rising
    best = ModelCheckpoint(tmp_path / "run", filename="best", monitor="val/loss", enable_version_counter=False)
    fit(tmp_path / "run", trained, callbacks=[best])
    epochs = {name: torch.load(tmp_path / "run" / f"{name}.ckpt", weights_only=True)["epoch"] for name in ("best", "last")}
    assert epochs == {"best": 0, "last": 2}


def test_masked_token_module_leaves_the_tokenizer_alone(tmp_path: Path):
    trained = module()
    before = [value.clone() for value in trained.tokenizer.model.state_dict().values()]
    fit(tmp_path / "run", trained, callbacks=[])
    after = trained.tokenizer.model.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not any(name.startswith("tokenizer") for name, _ in trained.named_parameters())


@pytest.mark.processor  # a whole training with kernels of its own
def test_masked_token_module_lowers_its_loss(tmp_path: Path):
    trained = module()
    before = trained._masked_loss(batch(), "val", 0).loss
    fit(tmp_path / "run", trained, callbacks=[])
    assert trained._masked_loss(batch(), "val", 0).loss < 0.95 * before
