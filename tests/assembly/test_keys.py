"""Which runs share a training run: those that differ only in decoding."""

import dataclasses
import functools

import numpy as np
import pytest
from omegaconf import open_dict

from maskgit_lab.assembly import keys
from maskgit_lab.assembly.keys import decoder_key, tokenizer_key, training_key
from maskgit_lab.assembly.read import typed
from maskgit_lab.assembly.schemas import TrainConfig
from tests.support import builders
from tests.support.configs import composed, configuration

pytestmark = pytest.mark.thorough


@functools.cache  # most are compared with that of nothing typed
def key(*overrides: str) -> str:
    return training_key(configuration(*overrides), builders.splits(), builders.tokenizer())


@pytest.mark.parametrize(
    "override",
    ["decode.sweet_spot=3", "decode.num_steps=20", "name=other", "decode.mask_blend_pixels=4", "logger=csv",
     "notes=x", "reuse=never", "paths.runs=r", "callbacks.samples=null", "callbacks.scores.every_n_epochs=2",
     "data.num_val_fills=8", "tokenizer.training.lr=1"],
)  # fmt: skip
def test_training_key_does_not_depend_on_decoding_names_and_places(override: str):
    assert key(override) == key()


@pytest.mark.parametrize(
    "override",
    ["mask_schedule=linear", "seed=1", "data.batch_size=8", "optimizer.lr=1", "model=small", "trainer.max_epochs=7",
     "training.label_smoothing=0.1", "training.mask_share=[0.12,0.54]", "training.mask_dilation=1", "data.flip=false",
     "callbacks=ema", "callbacks.early_stopping.patience=1"],
)  # fmt: skip
def test_training_key_depends_on_what_weights_depend_on(override: str):
    assert key(override) != key()


def test_training_key_of_before_muon_is_found_with_its_default():
    config = configuration("recipe=small")
    del config.optimizer["matrix_lr"]
    assert training_key(config, builders.splits(), builders.tokenizer()) == key("recipe=small")
    assert key("recipe=small", "optimizer.matrix_lr=1e-3") != key("recipe=small")


def test_training_key_of_before_speed_is_found_with_its_default():
    cfg = composed()
    with open_dict(cfg):
        del cfg["speed"]
    assert training_key(typed(cfg, TrainConfig), builders.splits(), builders.tokenizer()) == key("speed=fast") == key()
    assert key("speed=plain") != key()


def test_training_key_does_not_depend_on_a_decoding_schedule_alone():
    target = "training.mask_schedule={_target_: maskgit_lab.core.schedules.Cosine}"
    assert key("mask_schedule=linear", target) == key()


def test_training_key_depends_on_decoding_where_its_scores_choose_the_epoch():
    watching = "callbacks.best.monitor=val/psnr_hole"
    assert key(watching, "decode.sweet_spot=3") != key(watching)
    assert key(watching, "metrics=inception") != key(watching)


def test_training_key_depends_on_images_and_tokenizer():
    cfg = configuration()
    keys = {
        training_key(cfg, builders.splits(), builders.tokenizer()),
        training_key(cfg, builders.splits(train=20), builders.tokenizer()),
        training_key(cfg, builders.splits(), builders.tokenizer(seed=1)),
    }
    assert len(keys) == 3


def test_training_key_of_before_recorded_steps_is_found_with_their_default():
    assert key("training.compile=auto") == key("training.compile=false") == key()
    assert key("training.compile=true") != key()


def test_training_key_of_before_mask_share_and_dilation_is_found_with_their_defaults():
    config = configuration()
    with_them = key()
    config.training.mask_share, config.training.mask_dilation = [0.0, 1.0], 0
    assert training_key(config, builders.splits(), builders.tokenizer()) == with_them
    assert key("decode.mask_dilation=1") == key("training.mask_dilation=1")  # training hides as decoding does


def test_training_key_of_before_policies_is_found_with_their_defaults_where_its_scores_choose_the_epoch():
    watching = ("callbacks.best.monitor=val/psnr_hole", "decode.sweet_spot=null")
    config = configuration(*watching)
    for name in ("policy", "token_temperature", "top_k", "top_p"):
        del config.decode[name]
    assert training_key(config, builders.splits(), builders.tokenizer()) == key(*watching)
    assert key(*watching, "decode/policy=halton") != key(*watching)
    del config.decode["sweet_spot"]
    assert training_key(config, builders.splits(), builders.tokenizer()) != key(*watching)


def test_keys_depend_on_the_content_of_own_masks_only():
    def both(masks: np.ndarray | None, *overrides: str) -> tuple[str, str]:
        config = configuration("decoder=conditional", *overrides)
        assert config.decoder is not None
        own = dataclasses.replace(builders.splits(), train_holes=masks)
        codes = builders.tokenizer()
        return training_key(config, own, codes), decoder_key(config.decoder, config, own, codes, seed=0, fills=None)

    drawn, first, second = both(None), both(builders.boxes(3)), both(~builders.boxes(3))
    assert len({drawn[0], first[0], second[0]}) == len({drawn[1], first[1], second[1]}) == 3
    assert both(builders.boxes(3), "data.train_masks=masks", "data.max_hole_share=1") == first
    assert drawn[0] == key()


def test_training_key_does_not_depend_on_the_decoder_that_comes_after():
    assert key("decoder=conditional") == key("decoder=conditional", "decoder.training.lr=1") == key()


def test_tokenizer_key_of_before_averages_and_deeper_decoders_is_found_with_their_defaults():
    def stage1(*overrides: str, without: bool = False) -> str:
        config = configuration(*overrides)
        if without:
            del config.tokenizer.model["num_decoder_blocks"], config.tokenizer.training["ema_decay"]
        return tokenizer_key(config, builders.splits())

    assert stage1() == stage1(without=True)
    assert len({stage1(), stage1("tokenizer.training.ema_decay=0.9"), stage1("tokenizer.model.num_decoder_blocks=5")}) == 3


def test_keys_of_before_images_were_moved_are_found_where_there_is_no_perceptual_loss_or_one_as_before():
    def of_both(*overrides: str, without: bool = False) -> tuple[str, str]:
        config = configuration("decoder=conditional", *overrides)
        assert config.decoder is not None
        if without:
            for stage in (config.tokenizer, config.decoder):
                del stage.training["perceptual_shift"]
                stage.training["perceptual_weight"] = 1.0
        made = decoder_key(config.decoder, config, builders.splits(), builders.tokenizer(), seed=0, fills=None)
        return tokenizer_key(config, builders.splits()), made

    still = ("tokenizer.training.perceptual_shift=0", "decoder.training.perceptual_shift=0")
    assert of_both() == of_both(*still) == of_both(without=True)  # no perceptual loss, nothing to move
    given = "perceptual_weights=w.pth"
    before = (*still, "tokenizer.training.perceptual_weight=1.0", "decoder.training.perceptual_weight=1.0")
    assert of_both(given, *before) == of_both(given, without=True)
    assert all(mine != its for mine, its in zip(of_both(given), of_both(given, *before), strict=True))


def test_decoder_key_of_before_fills_had_steps_of_their_own_is_found_where_they_have_none():
    def decoder(*overrides: str, without: bool = False) -> str:
        config = configuration("decoder=conditional", *overrides)
        assert config.decoder is not None
        if without:
            del config.decoder.training["fill_decode_steps"]
        return decoder_key(config.decoder, config, builders.splits(), builders.tokenizer(), seed=0, fills="a")

    assert decoder() == decoder(without=True)
    assert decoder("decoder.training.fill_decode_steps=1") != decoder()


def test_tokenizer_key_of_muon_is_not_that_of_before_its_mending(monkeypatch: pytest.MonkeyPatch):
    def stage1(matrix_lr: str) -> str:
        return tokenizer_key(configuration(f"tokenizer.training.matrix_lr={matrix_lr}"), builders.splits())

    after = stage1("null"), stage1("1e-2")
    monkeypatch.setattr(keys, "STAGE1_MUON_VERSION", keys.STAGE1_VERSION)
    assert stage1("null") == after[0]
    assert stage1("1e-2") != after[1]


def test_decoder_key_depends_on_what_its_weights_depend_on():
    def decoder(*overrides: str, seed: int = 0, fills: str | None = "a", codes: int = 0) -> str:
        config = configuration("decoder=conditional", *overrides)
        assert config.decoder is not None
        return decoder_key(config.decoder, config, builders.splits(), builders.tokenizer(seed=codes), seed=seed, fills=fills)

    same = [decoder(), decoder("decode.num_steps=3"), decoder("name=x", "optimizer.lr=1")]
    others = [
        decoder(seed=1), decoder(fills=None), decoder(fills="b"), decoder(codes=1), decoder("decoder.training.lr=1"),
        decoder("decoder.model.num_blocks=2"), decoder("data.hole_share=[0.2,0.3]"), decoder("data.flip=false"), decoder("seed=1"),
    ]  # fmt: skip
    assert len(set(same)) == 1
    assert len({*same, *others}) == 10


def test_perceptual_weights_give_both_stages_their_loss_unless_they_have_one():
    node = {"_target_": "maskgit_lab.models.perceptual.PerceptualLoss", "weights": "w.pth"}
    own = "tokenizer.training.perceptual={_target_: maskgit_lab.models.perceptual.PerceptualLoss, weights: own.pth}"
    given = configuration("perceptual_weights=w.pth", "decoder=conditional")
    assert given.decoder is not None
    assert given.tokenizer.training["perceptual"] == given.decoder.training["perceptual"] == node
    assert configuration("perceptual_weights=w.pth").decoder is None
    assert configuration("perceptual_weights=w.pth", own).tokenizer.training["perceptual"]["weights"] == "own.pth"
    assert configuration().tokenizer.training["perceptual"] is None
    spelt_out = configuration(own.replace("own.pth", "w.pth"))
    splits = builders.splits()
    assert tokenizer_key(configuration("perceptual_weights=w.pth"), splits) == tokenizer_key(spelt_out, splits)
