"""How long a stage will take: said once, early, in words."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from maskgit_lab.training.callbacks import duration
from maskgit_lab.training.callbacks.duration import NUM_STEPS, Duration, in_words
from tests.support.builders import datamodule, small_trainer, stage_2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "a few seconds"), (16, "about 20 seconds"), (43, "about 40 seconds"), (56, "about 1 minute"),
        (100, "about 2 minutes"),
        (89 * 60, "about 89 minutes"), (91 * 60, "about 2 hours"), (35 * 3600, "about 35 hours"), (3.4 * 86400, "about 3 days"),
    ],
)  # fmt: skip
def test_in_words_is_no_more_exact_than_it_can_be(seconds: float, words: str):
    assert in_words(seconds) == words


def said(caplog, clock, *, steps: int, total: float, first: int = 0, per_batch: int = 1) -> list[str]:
    """Return the lines of a training of so many updates, each of `per_batch` batches."""
    callback = Duration(stage="Stage 1")
    trainer: Any = SimpleNamespace(global_step=first, estimated_stepping_batches=total)
    module: Any = SimpleNamespace(device=torch.device("cpu"))
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        callback.on_train_start(trainer, module)
        for batch in range(1, steps * per_batch + 1):
            clock.now += 40.0 if batch == 1 else 3.0 / per_batch  # the first one waits for what is made at the first use
            trainer.global_step = first + batch // per_batch
            callback.on_train_batch_end(trainer, module)
    return caplog.messages


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(duration, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


@pytest.mark.parametrize("per_batch", [1, 4])
def test_duration_says_once_what_the_first_steps_took_for_all(caplog, clock, per_batch: int):
    lines = said(caplog, clock, steps=60, total=400, per_batch=per_batch)
    assert lines == ["Stage 1: about 20 minutes at the pace of the first 20 steps, validation and scores not counted"]


def test_duration_of_a_run_that_goes_on_is_that_of_the_rest(caplog, clock):
    assert "about 5 minutes" in said(caplog, clock, steps=60, total=400, first=300)[0]


@pytest.mark.parametrize("total", [NUM_STEPS, float("inf")])
def test_duration_says_nothing_where_there_is_no_rest_or_no_end(caplog, clock, total: float):
    assert said(caplog, clock, steps=NUM_STEPS + 1, total=min(total, NUM_STEPS + 1) if total < 1e9 else total) == []


def test_duration_is_said_by_a_real_trainer(caplog, tmp_path: Path):
    with caplog.at_level(logging.INFO, logger="maskgit_lab"):
        small_trainer(max_epochs=5, callbacks=[Duration(stage="Stage 2")], limit_val_batches=0, enable_checkpointing=False).fit(
            stage_2(), datamodule=datamodule(tmp_path, batch_size=4)
        )
    lines = [line for line in caplog.messages if line.startswith("Stage 2:")]
    assert lines == ["Stage 2: a few seconds at the pace of the first 20 steps, validation and scores not counted"]
