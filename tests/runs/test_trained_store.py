"""A training run that others share: found, taken over, without the scores of another decoding."""

import json
from pathlib import Path
from typing import Any

from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.trained_store import TrainedStore, adopt, curves_of


def trained_run(root: Path) -> RunFolder:
    run = RunFolder(root)
    run.checkpoints.mkdir(parents=True)
    for name in ("best", "last"):
        (run.checkpoints / f"{name}.ckpt").write_text(name)
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
    assert taker.checkpoint("best").read_text() == "best"
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
