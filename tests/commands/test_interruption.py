"""A stopped command leaves a checkpoint, says how to go on, and goes on."""

import csv
import json
import signal
import time
from pathlib import Path

import pytest

from tests.support.commands import NO_FIGURES, SMALL_RUN, TIMEOUT, run, shared_cache, start

pytestmark = pytest.mark.slow


def stop_during(stage: str, number: signal.Signals, *, cwd: Path, home: Path, overrides: list[str]) -> tuple[int, str]:
    """Start a run, send a signal once the terminal shows `stage`, and return exit status and output."""
    out, err = cwd / "out.log", cwd / "err.log"
    for path in (out, err):
        path.write_text("")  # of the command before
    started = start("train", "name=stopped", *SMALL_RUN, *overrides, cwd=cwd, home=home, out=out, err=err, variables=NO_FIGURES)
    deadline = time.monotonic() + TIMEOUT

    def said() -> str:
        return out.read_text() + err.read_text()

    while stage not in said() and started.send_signal(0) and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(number)
    return started.wait(), said()


def stopped_in_stage_2(number: signal.Signals, cwd: Path) -> Path:
    """Stop a run that is long, check what it says, and return its folder."""
    overrides = ["trainer.max_epochs=400", "callbacks.scores=null", "callbacks.samples=null", shared_cache()]
    status, text = stop_during("Stage 2, epoch 3", number, cwd=cwd, home=cwd / "home", overrides=overrides)
    assert status == 130, text
    (folder,) = (cwd / "runs" / "stopped").iterdir()
    assert f"To go on: python -m maskgit_lab.train resume={folder.relative_to(cwd)}" in text
    assert "Traceback" not in text
    assert "wandb sync" in text
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"
    return folder


def test_train_stopped_in_stage_2_says_how_to_go_on_and_goes_on(tmp_path: Path):
    folder = stopped_in_stage_2(signal.SIGINT, tmp_path)
    answer = run(
        "train", f"resume={folder}", "trainer.max_epochs=4", shared_cache(), cwd=tmp_path, home=tmp_path / "home",
        variables=NO_FIGURES,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert json.loads((folder / "result.json").read_text())["status"] == "completed"
    with (folder / "metrics.csv").open() as file:
        validated = [int(float(row["epoch"])) for row in csv.DictReader(file) if row["val/loss"]]
    assert validated == sorted(set(validated))
    assert validated[0] == 0


def test_train_stopped_in_stage_2_by_a_scheduler_ends_as_by_hand(tmp_path: Path):
    """It goes on from the same checkpoint: tests/training/test_module.py resumes after both signals."""
    folder = stopped_in_stage_2(signal.SIGTERM, tmp_path)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_train_goes_on_in_stage_1_where_it_was_stopped(tmp_path: Path):
    overrides = ["tokenizer.training.max_steps=3000", "tokenizer.training.val_every_n_steps=1000"]
    status, text = stop_during("Stage 1, epoch 4", signal.SIGINT, cwd=tmp_path, home=tmp_path / "home", overrides=overrides)
    assert status == 130, text
    assert "Stopped before stage 2; the same command goes on from here" in text
    (unfinished,) = (tmp_path / "home").rglob("last.ckpt")
    assert unfinished.parent.parent.name == "tokenizers"
    assert not (unfinished.parent / "tokenizer.pt").exists()
    status, text = stop_during("Stage 1, epoch", signal.SIGINT, cwd=tmp_path, home=tmp_path / "home", overrides=overrides)
    assert "Stage 1, epoch 1:" not in text
