"""The decoder stage: what a step is given, what it changes, and that known pixels make the known part better."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from maskgit_lab.core.masking import token_mask
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.data.synthetic_cats import SyntheticCats
from maskgit_lab.models.conditional_decoder import ConditionalDecoder
from maskgit_lab.models.discriminator import PatchDiscriminator
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.training.decoder_module import DecoderModule, FillBank
from maskgit_lab.training.weight_average import WeightAverage
from tests.support.builders import boxes, datamodule, pictures, small_trainer, tokenizer

pytestmark = pytest.mark.thorough


def fill_bank() -> FillBank:
    tokens = torch.randint(16, (5, 64), generator=torch.Generator().manual_seed(1))
    return FillBank(torch.from_numpy(pictures(5, seed=4)), torch.from_numpy(boxes(5)), tokens)


def module(**changes: Any) -> DecoderModule:
    made = tokenizer()
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "network": ConditionalDecoder(network=made.model), "tokenizer": made, "holes": torch.from_numpy(boxes(6)), "lr": 3e-3,
        "total_steps": 20, "fill_steps": 8, "fills": fill_bank(), "ema_decay": 0.9,
    }  # fmt: skip
    return DecoderModule(**{**arguments, **changes})


def fit(trained: DecoderModule, folder: Path, *, steps: int, ckpt: Path | None = None, **flags: Any) -> Any:
    trainer = small_trainer(
        **{"max_steps": steps, "max_epochs": -1, "gradient_clip_val": None, "enable_checkpointing": False, **flags}
    )
    trainer.fit(trained, datamodule=datamodule(folder, batch_size=6), ckpt_path=ckpt, weights_only=True)
    return trainer


def batch(count: int = 5) -> dict[str, Tensor]:
    images = torch.from_numpy(pictures(count))
    return {"images": images, "tokens": tokenizer().encode(images)}


def test_decoder_module_hides_half_of_a_batch_in_part_and_half_wholly():
    own, given_batch = module(), batch()
    given = own.given(given_batch, "train", 0)
    assert given.num_conditional == 3
    share = given.holes.float().mean((1, 2))
    assert ((share[:3] > 0) & (share[:3] < 0.5)).all()
    assert (share[3:] == 1).all()
    assert torch.equal(given.tokens[3:], given_batch["tokens"][3:])


def test_decoder_module_gives_tokens_as_a_fill_has_them():
    own, given_batch = module(), batch()
    given = own.given(given_batch, "train", 0)
    hidden = token_mask(given.holes[:3], grid=8)
    grey = tokenizer().encode(given_batch["images"][:3].masked_fill(given.holes[:3, ..., None], 128))
    assert torch.equal(given.tokens[:3][hidden], given_batch["tokens"][:3][hidden])
    assert torch.equal(given.tokens[:3][~hidden], grey[~hidden])


def test_decoder_module_takes_the_runs_fills_for_its_last_steps():
    own = module()
    given = own.given(batch(), "train", 12, filled=True)
    bank = fill_bank()
    pixels = own.tokenizer.pixels(given.images[:3])
    rows = [int((bank.tokens == tokens).all(1).nonzero()) for tokens in given.tokens[:3]]
    torch.testing.assert_close(pixels, bank.images[rows].permute(0, 3, 1, 2).float() / 255)
    assert torch.equal(given.holes[:3], bank.holes[rows])


def test_decoder_module_draws_holes_by_seed_and_step():
    first, again, other = (module().given(batch(), "train", step).holes for step in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_decoder_module_trains_the_decoder_only_and_keeps_tokens(tmp_path: Path):
    trained = module()
    frozen = {name: value.clone() for name, value in trained.tokenizer.model.state_dict().items()}
    before = {name: value.clone() for name, value in trained.network.named_parameters()}
    trainer = fit(trained, tmp_path, steps=3)
    assert trainer.global_step == 3
    assert all(torch.equal(value, frozen[name]) for name, value in trained.tokenizer.model.state_dict().items())
    assert not any(torch.equal(value, before[name]) for name, value in trained.network.named_parameters())
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert {name.split(".")[0] for name in content["state_dict"]} == {"network", "average"}
    assert content["tokenizer_sha256"] == trained.tokenizer.sha256


@pytest.mark.parametrize("matrix_lr", [None, 2e-2], ids=["adam", "muon"])
def test_decoder_module_learns_in_bf16_as_in_float32(tmp_path: Path, matrix_lr: float | None):
    errors = []
    for precision in ("32-true", "bf16-mixed"):
        trained = module(matrix_lr=matrix_lr)
        logged = fit(trained, tmp_path / precision, steps=20, precision=precision).callback_metrics
        errors.append([float(logged[f"val/mae_{part}"]) for part in ("hole", "known", "unconditional")])
    assert errors[1] == pytest.approx(errors[0], rel=0.02)


def test_decoder_module_with_a_discriminator_trains_both(tmp_path: Path):
    torch.manual_seed(1)
    trained = module(discriminator=PatchDiscriminator(num_filters=4, num_layers=2, normalisation="group"), gan_adaptive=True)
    assert trained.adversary is not None
    before = {name: value.clone() for name, value in trained.adversary.named_parameters()}
    logged = fit(trained, tmp_path, steps=3).callback_metrics
    assert not any(torch.equal(value, before[name]) for name, value in trained.adversary.named_parameters())
    assert {"train/loss_gan", "train/gan_weight", "train/loss_discriminator"} <= logged.keys()


def test_decoder_module_resumed_equals_uninterrupted(tmp_path: Path):
    resumed, uninterrupted = module(), module()
    halfway = ModelCheckpoint(dirpath=tmp_path, filename="{step}", save_on_train_epoch_end=False, save_top_k=-1)
    fit(
        uninterrupted,
        tmp_path,
        steps=16,
        callbacks=[halfway],
        enable_checkpointing=True,
        val_check_interval=9,
        check_val_every_n_epoch=None,
    )
    assert (
        fit(resumed, tmp_path, steps=16, ckpt=tmp_path / "step=9.ckpt", callbacks=[halfway], enable_checkpointing=True).global_step
        == 16
    )
    expected = uninterrupted.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.state_dict().items())


def test_decoder_module_refuses_a_checkpoint_of_another_tokenizer(tmp_path: Path):
    trainer = fit(module(), tmp_path, steps=1)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    other = tokenizer(seed=1)
    with pytest.raises(ValueError, match=other.sha256[:12]):
        module(tokenizer=other).on_load_checkpoint(torch.load(tmp_path / "last.ckpt", weights_only=True))


def test_decoder_module_needs_fills_for_fill_steps_and_steps_for_them():
    with pytest.raises(ValueError, match=r"decoder\.training\.fill_steps needs the fills"):
        module(fills=None)
    with pytest.raises(ValueError, match=r"decoder\.training\.fill_steps must be at most max_steps \(20\), got 21"):
        module(fill_steps=21)


def test_weight_average_follows_its_formula():
    network = torch.nn.Linear(2, 1)
    average = WeightAverage(network, decay=0.5)
    expected = network.weight.detach().clone()
    for step in range(20):
        with torch.no_grad():
            network.weight += 1
        average.update(network, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * network.weight.detach()
    torch.testing.assert_close(average.network.weight.detach(), expected)
    assert not any(parameter.requires_grad for parameter in average.parameters())


def cats_tokenizer(data: DataSplits) -> FrozenTokenizer:
    """Return an untrained encoder, with codes from data: tokens mean something, the decoder means nothing yet."""
    torch.manual_seed(0)
    network = PatchVQGAN(channels=24, num_blocks=1, latent_dim=8, img_resolution=32, num_codebook_vectors=64, beta=0.25)
    made = FrozenTokenizer(network, mean=(0.5,) * 3, std=(0.5,) * 3)
    rows = network.codebook.latents(made.features(torch.from_numpy(np.array(data.train.images[:16])))).flatten(0, 1)
    network.codebook.embedding.weight.data.copy_(rows[torch.randperm(len(rows))[:64]])
    return FrozenTokenizer(network, mean=(0.5,) * 3, std=(0.5,) * 3)


def test_known_pixels_of_the_conditional_decoder_beat_the_unconditional_ones_after_a_few_steps(tmp_path: Path):
    """One network, trained on both halves: what it sees of the known pixels is the only difference."""
    data = SyntheticCats(seed=0, num_train=64, num_val=16, num_test=8, resolution=32).load(cache=tmp_path)
    made = cats_tokenizer(data)
    torch.manual_seed(0)
    trained = DecoderModule(
        network=ConditionalDecoder(network=made.model), tokenizer=made, holes=torch.from_numpy(boxes(16)), lr=4e-3, total_steps=80,
        warmup_steps=10,
    )  # fmt: skip
    served = datamodule(tmp_path, data=data, batch_size=16)
    served.tokenizer = made
    trainer = small_trainer(max_steps=80, max_epochs=-1, gradient_clip_val=None, enable_checkpointing=False)
    trainer.fit(trained, datamodule=served)
    decoder = FrozenDecoder(trained.best_network, made)
    truth = torch.from_numpy(np.array(data.test.truth))
    holes = torch.from_numpy(boxes(len(truth)))
    tokens = made.encode(truth.masked_fill(holes[..., None], 128))
    true = truth.permute(0, 3, 1, 2).float() / 255
    errors = {}
    for name, hidden in (("given", holes), ("not given", torch.ones_like(holes))):
        error = (decoder.decode(tokens, truth, hidden) - true).abs().mean(1)
        errors[name] = (float(error[~holes].mean()), float(error[holes].mean()))
    assert errors["given"][0] < 0.5 * errors["not given"][0]
    assert errors["given"][1] < errors["not given"][1]  # and the hole goes on from them
