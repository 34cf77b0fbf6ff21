"""How much data there is against what is asked for: said before stage 1."""

import copy
import functools
import logging
import re

import pytest
import yaml

from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.assembly.sizes import check_sizes
from tests.support.builders import splits
from tests.support.configs import configuration

SMALL = ("data.batch_size=8", "data.val_batch_size=4", "data.flip=false", "tokenizer.training.batch_size=8")


@functools.cache
def composed_once() -> TrainConfig:
    return configuration(*SMALL)


def told(overrides: str) -> TrainConfig:
    config = copy.deepcopy(composed_once())
    for override in overrides.split():
        key, _, value = override.partition("=")
        *groups, name = key.split(".")
        node = functools.reduce(lambda node, group: node[group] if isinstance(node, dict) else getattr(node, group), groups, config)
        node[name] = yaml.safe_load(value)  # type: ignore[index]
    return config


@pytest.mark.parametrize(("overrides", "sizes", "message"), [
    ("data.batch_size=25", {}, "data.batch_size (25) exceeds the training set (24 images)"),
    ("", {"train": 1}, "data.batch_size (8) exceeds the training set (1 images): at most 1"),
    ("", {"val": 1}, "callbacks.scores needs at least 2 validation images with holes, got 1"),
    ("data.num_val_fills=1", {}, "callbacks.scores needs at least 2"),
    ("", {"test": 1}, "the test set holds 1 image"),
    ("trainer.limit_train_batches=0.1", {}, "trainer.limit_train_batches=0.1 of 3 batches is less than one"),
    ("trainer.limit_val_batches=0.1", {}, "trainer.limit_val_batches=0.1 of 2 batches"),
    ("trainer.overfit_batches=0.1", {}, "trainer.overfit_batches=0.1 of 2 batches"),
    ("trainer.val_check_interval=4", {}, "trainer.val_check_interval (4) exceeds an epoch's 3 batches"),
    ("trainer.val_check_interval=9 trainer.check_val_every_n_epoch=null", {}, "exceeds all 6 batches: nothing is validated"),
    ("trainer.max_steps=2 trainer.check_val_every_n_epoch=2", {}, "trainer.max_steps (2) ends before the first validation"),
])  # fmt: skip
def test_check_sizes_refuses_what_cannot_be(overrides: str, sizes: dict[str, int], message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_sizes(told(overrides), splits(**sizes))


@pytest.mark.parametrize(("overrides", "sizes", "message"), [
    ("callbacks.scores=null", {"val": 1}, "One validation image"),
    ("tokenizer.training.batch_size=32", {}, "tokenizer.training.batch_size (32) exceeds the training set"),
    ("trainer.accumulate_grad_batches=9", {}, "trainer.accumulate_grad_batches (9) exceeds an epoch's 3 batches"),
    ("", {}, ""),
    ("trainer.max_steps=4 trainer.check_val_every_n_epoch=2", {}, ""),
    ("trainer.val_check_interval=6 trainer.check_val_every_n_epoch=null", {}, ""),
])  # fmt: skip
def test_check_sizes_warns_where_it_means_little(
    overrides: str, sizes: dict[str, int], message: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        check_sizes(told(overrides), splits(**sizes))
    assert [record.getMessage()[: len(message)] for record in caplog.records] == ([message] if message else [])
