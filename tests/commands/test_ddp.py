"""The real command on two processes against the same command on one with twice the batch; sweeps keep to one device."""

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import Made
from tests.support.commands import NO_FIGURES, SMALL_RUN, run, warm_children

pytestmark = pytest.mark.slow


@pytest.mark.xdist_group("small_run")
def test_train_on_two_processes_gives_curves_and_table_of_one_with_twice_the_batch(made: Made, tmp_path: Path):
    halves = ["data.batch_size=8", "data.val_batch_size=32"]
    answer = run(
        "train", "experiment=cosine", "trainer=cpu_ddp", "logger=csv", *SMALL_RUN, *halves, cwd=tmp_path, home=made.home,
        variables={**NO_FIGURES, **warm_children()},
    )  # fmt: skip
    text = answer.stdout + answer.stderr
    assert answer.returncode == 0, text
    assert "warn" not in text.lower()
    assert text.count("Stage 2: done") == 1  # the second process is silent
    (folder,) = (tmp_path / "runs" / "cosine").iterdir()
    with (folder / "metrics.csv").open() as file:
        found = list(csv.DictReader(file))
    compared = ("train/loss", "val/loss", "val/fd_tokenizer", "val/psnr_hole", "val/token_accuracy", "train/fixed_loss")
    for two, one in zip(found, made.metrics(), strict=True):
        for name in compared:
            assert bool(two[name]) == bool(one[name])
            if one[name]:
                assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-3), name
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["monitor"]["best"] == pytest.approx(made.result()["monitor"]["best"], rel=1e-5)
    for two, one in zip(result["scores"], made.result()["scores"], strict=True):
        assert two["fd_tokenizer"] == pytest.approx(one["fd_tokenizer"], rel=1e-2)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_train_refuses_a_sweep_over_several_devices_before_anything_starts(tmp_path: Path):
    answer = run("train", "-m", "trainer=cpu_ddp", "seed=0,1", *SMALL_RUN, cwd=tmp_path, home=tmp_path / "home")
    assert answer.returncode == 1
    assert "error: trainer.devices=2: each job of a sweep (-m) runs on one device" in answer.stderr
    assert "trainer.devices=1" in answer.stderr
    assert "Stage 1" not in answer.stdout
    assert not list(tmp_path.rglob("result.json"))
