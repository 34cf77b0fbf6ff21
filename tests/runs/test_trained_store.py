"""A training run that others share: found, taken over, without the scores of another decoding."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from maskgit_lab.machine.tensor_file import save_tensors
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.trained_store import TrainedStore, adopt, curves_of
from tests.support.damage import flips


def trained_run(root: Path) -> RunFolder:
    run = RunFolder(root)
    run.checkpoints.mkdir(parents=True)
    for name in ("best", "last"):
        save_tensors({"name": name}, run.checkpoints / f"{name}.ckpt")
    run.metrics.write_text("step,val/loss,val/psnr_hole,epoch\n3,2.5,20.0,0\n7,2.0,,1\n")
    return run


RESULT = {
    "num_parameters": 5, "epochs": 2, "stopped_early": False, "monitor": {"name": "val/loss", "best": 2.0},
    "seconds": {"stage_2": 9.0},
}  # fmt: skip


def test_trained_store_finds_a_training_that_adopt_takes_over(tmp_path: Path):
    store = TrainedStore(tmp_path / "trained")
    store.folder.mkdir()
    store.keep("k", trained_run(tmp_path / "0"), RESULT)
    trained = store.find("k")
    assert trained is not None
    taker = RunFolder(tmp_path / "1")
    result: dict[str, Any] = {"seconds": {}}
    adopt(trained, taker, result)
    assert torch.load(taker.checkpoint("best"), weights_only=True) == {"name": "best"}
    assert taker.checkpoint("last").samefile(tmp_path / "0" / "checkpoints" / "last.ckpt")
    assert result["monitor"] == {"name": "val/loss", "best": 2.0}
    assert result["trained_by"] == {"run": str((tmp_path / "0").resolve()), "seconds": 9.0}


def test_curves_of_a_training_are_without_scores_of_another_decoding(tmp_path: Path):
    store = TrainedStore(tmp_path)
    store.keep("k", trained_run(tmp_path / "0"), RESULT)
    trained = store.find("k")
    assert trained is not None
    assert curves_of(trained) == [(3, {"val/loss": 2.5, "epoch": 0.0}), (7, {"val/loss": 2.0, "epoch": 1.0})]


def test_trained_store_does_not_find_a_training_whose_checkpoints_are_gone(tmp_path: Path):
    store, run = TrainedStore(tmp_path), trained_run(tmp_path / "0")
    store.keep("k", run, RESULT)
    run.checkpoint("last").unlink()
    assert store.find("k") is None
    assert store.find("other") is None


def test_trained_store_can_be_moved_with_its_sweep(tmp_path: Path):
    store = TrainedStore(tmp_path / "sweep" / "trained")
    store.folder.mkdir(parents=True)
    store.keep("k", trained_run(tmp_path / "sweep" / "0"), RESULT)
    (tmp_path / "sweep").rename(tmp_path / "moved")
    assert TrainedStore(tmp_path / "moved" / "trained").find("k") is not None
    assert json.loads((tmp_path / "moved" / "trained" / "k.json").read_text())["run"] == "../0"


def test_trained_store_takes_a_reference_of_an_earlier_version(tmp_path: Path):
    store = TrainedStore(tmp_path)
    store.keep("k", trained_run(tmp_path / "0"), RESULT)
    content = json.loads(store.path("k").read_text())
    del content["crc32"]
    store.path("k").write_text(json.dumps(content))
    assert store.find("k") is not None


def test_trained_store_does_not_find_what_a_damaged_reference_says(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    store = TrainedStore(tmp_path)
    store.keep("k", trained_run(tmp_path / "0"), RESULT)
    right, whole = store.find("k"), store.path("k").read_bytes()
    for harmed in flips(whole, 60):
        store.path("k").write_bytes(harmed)
        assert store.find("k") in (None, right)  # white space may change
    store.path("k").write_bytes(b"[]")
    assert store.find("k") is None
    assert f"{store.path('k')} is damaged" in caplog.text


@pytest.mark.parametrize("name", ["checkpoints/best.ckpt", "checkpoints/last.ckpt", "metrics.csv"])
def test_trained_store_does_not_find_a_training_with_a_damaged_file(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    store, run = TrainedStore(tmp_path), trained_run(tmp_path / "0")
    store.keep("k", run, RESULT)
    path = run.root / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x80
    path.write_bytes(content)
    assert store.find("k") is None
    assert f"{path} is damaged" in caplog.text


@pytest.mark.parametrize("same_disk", [True, False])
def test_adopt_replaces_checkpoints_in_one_step(same_disk: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = TrainedStore(tmp_path / "trained")
    store.keep("k", trained_run(tmp_path / "0"), RESULT)
    trained, taker = store.find("k"), RunFolder(tmp_path / "1")
    assert trained is not None
    if not same_disk:
        monkeypatch.setattr(os, "link", refuse)
    for _ in range(2):  # also where it has them already
        adopt(trained, taker, {"seconds": {}})
        assert sorted(path.name for path in taker.checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]
        assert taker.checkpoint("best").read_bytes() == trained.folder.checkpoint("best").read_bytes()


def refuse(*_: object) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")
