"""Every number of every configuration, set to what is none: refused by its key before anything is loaded, or listed here."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pytest

from maskgit_lab.assembly import compose, trainer_flags
from maskgit_lab.assembly.compose import check_configuration
from tests.support.builders import small_trainer
from tests.support.configs import configuration

BASES = {
    "default": (), "lab": ("recipe=lab",), "ema": ("callbacks=ema",), "decoder": ("decoder=conditional",),
    "folder": ("data=image_folder", "data.root=x"),
    "refresh": ("decode.refresh_every=2", "decode.sweet_spot=3", "tokenizer.seed=1"),
}  # fmt: skip
VALUES = {"nan": float("nan"), "inf": float("inf"), "-1": -1, "0": 0, "1e30": 1e30, "text": "abc", "true": True}
# what is allowed, and what it means
MEANINGFUL = {
    "seed": {"0"},
    "data.source.seed": {"0"},
    "tokenizer.seed": {"0"},
    "tokenizer.mean": {"0"},
    "tokenizer.model.num_blocks": {"0"},  # no residual blocks
    "tokenizer.model.beta": {"0"},  # no commitment
    "tokenizer.training.betas": {"0"},  # no memory
    "tokenizer.training.warmup_steps": {"0"},
    "tokenizer.training.revive_after_steps": {"0"},  # never
    "tokenizer.training.perceptual_weight": {"0"},
    "tokenizer.training.perceptual_shift": {"0"},
    "tokenizer.training.ema_decay": {"0"},  # the trained weights
    "decoder.model.num_blocks": {"0"},
    "decoder.model.num_pixel_blocks": {"0"},
    "decoder.training.betas": {"0"},
    "decoder.training.warmup_steps": {"0"},
    "decoder.training.gradient_clip": {"1e30"},  # no clipping
    "decoder.training.perceptual_weight": {"0"},
    "decoder.training.perceptual_shift": {"0"},
    "decoder.training.composite_weight": {"0"},
    "decoder.training.ema_decay": {"0"},  # the trained weights
    "decoder.training.fill_steps": {"0"},  # true tokens to the end
    "tokenizer.training.gan_start_step": {"0"},
    "tokenizer.training.gan_weight": {"0"},
    "tokenizer.training.lecam_weight": {"0"},
    "tokenizer.training.r1_weight": {"0"},
    "decoder.training.gan_start_step": {"0"},
    "decoder.training.gan_weight": {"0"},
    "decoder.training.lecam_weight": {"0"},
    "decoder.training.r1_weight": {"0"},
    "model.transformer.dropout": {"0"},
    "model.transformer.attention_dropout": {"0"},
    "model.context.num_blocks": {"0"},
    "decode.choice_temperature": {"0", "1e30"},  # by confidence only; at random
    "decode.token_temperature": {"0", "1e30"},  # the likeliest token; any
    "decode.top_k": {"0"},  # all codes
    "decode.mask_dilation": {"0"},
    "decode.mask_blend_pixels": {"0"},
    "training.mask_dilation": {"0"},
    "training.mask_share": {"0"},  # the least
    "decode.refresh_ring": {"0"},
    "training.label_smoothing": {"0"},
    "optimizer.betas": {"0"},
    "optimizer.weight_decay": {"0"},
    "optimizer.warmup_steps": {"0"},
    "optimizer.final_lr_share": {"0"},
    "trainer.devices": {"-1"},  # all GPUs; Lightning refuses it on a CPU
    "trainer.gradient_clip_val": {"0", "1e30"},  # no clipping
    "trainer.log_every_n_steps": {"0"},  # at the ends of epochs
    "trainer.num_sanity_val_steps": {"0", "-1"},  # none; all batches
    "callbacks.early_stopping.patience": {"0"},
    "callbacks.ema.decay": {"0"},  # the last weights
}


def numbers(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where numbers are."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in items:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield (*path, key)
        else:
            yield from numbers(value, (*path, key))


@contextmanager
def changed(node: Any, path: tuple[Any, ...], value: Any) -> Iterator[None]:
    """Put a value in a place of a configuration, and take it out again."""
    for key in path[:-1]:
        node = node[key] if isinstance(node, dict | list) else vars(node)[key]
    values = node if isinstance(node, dict | list) else vars(node)
    before, values[path[-1]] = values[path[-1]], value
    yield
    values[path[-1]] = before


def name_of(path: tuple[Any, ...]) -> str:
    return ".".join(part for part in path if isinstance(part, str))


@pytest.mark.parametrize("base", BASES)
def test_check_configuration_refuses_every_number_that_is_none_by_its_key(base: str, monkeypatch: pytest.MonkeyPatch):
    # the slow parts, which look at no number
    made = small_trainer()
    monkeypatch.setattr(trainer_flags, "_tried", lambda flags: made)
    monkeypatch.setattr(compose, "check_constructors", lambda config: None)
    others = set() if base == "default" else set(numbers(asdict(configuration())))
    config = configuration(*BASES[base])
    paths = [path for path in numbers(asdict(config)) if path not in others]
    accepted: dict[str, set[str]] = {}
    for path, (name, value) in itertools.product(paths, VALUES.items()):
        with changed(config, path, value):
            try:
                check_configuration(config)
            except ValueError as error:
                said = str(error)
                assert name_of(path) in said, f"{name}: {said}"
                assert "\n" not in said
            else:
                accepted.setdefault(name_of(path), set()).add(name)
    there = {name_of(path) for path in paths}
    assert accepted == {key: names for key, names in MEANINGFUL.items() if key in there}


@pytest.mark.parametrize(("override", "message"), [
    ("training.label_smoothing=2", "training.label_smoothing must be at least 0 and below 1, got 2"),
    ("training.label_smoothing=1", "training.label_smoothing must be"),
    ("training.mask_share=[0.5,0.1]", "training.mask_share must be two shares, the first not above the second"),
    ("training.mask_share=[0.5]", "training.mask_share must be a list of 2 numbers"),
    ("optimizer.lr=nan", "optimizer.lr must be a finite number above 0 and at most 100, got nan"),
    ("optimizer.betas=[0.9]", "optimizer.betas must be a list of 2 numbers"),
    ("optimizer.weight_decay=5000", "optimizer.weight_decay must be at least 0 and below"),
    ("tokenizer.mean=[0.5]", "tokenizer.mean must be a list of 3 numbers"),
    ("data.hole_share=[0.1,0.2,0.3]", "data.hole_share must be a list of 2 numbers"),
    ("data.hole_share=[0.3,0.1]", "data.hole_share must be two shares"),
    ("decode.num_steps=2.5", "decode.num_steps must be a whole number"),
])  # fmt: skip
def test_check_configuration_says_what_is_allowed(override: str, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_configuration(configuration(override))
