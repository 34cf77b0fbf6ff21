"""Which runs share a training: those that differ in decoding alone."""

import json
from pathlib import Path

import pytest
from omegaconf import DictConfig

from maskgit_lab.assembly.keys import training_key
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.trained_store import TrainedStore, adopt, curves_of
from tests.support import builders
from tests.test_configs import composed


def key(*overrides: str) -> str:
    cfg: DictConfig = composed(*overrides)
    return training_key(cfg, builders.splits(), builders.tokenizer())


@pytest.mark.parametrize(
    "override",
    ["decode.sweet_spot=3", "decode.num_steps=20", "name=other", "logger=csv", "notes=x", "reuse=never", "paths.runs=r",
     "callbacks.samples=null", "callbacks.scores.every_n_epochs=2", "data.num_val_fills=8", "tokenizer.training.lr=1"],
)  # fmt: skip
def test_decoding_names_and_places_leave_the_key_alone(override: str):
    assert key(override) == key()


@pytest.mark.parametrize(
    "override",
    ["mask_schedule=linear", "seed=1", "data.batch_size=8", "optimizer.lr=1", "model=small", "trainer.max_epochs=7",
     "training.label_smoothing=0.1", "data.flip=false", "callbacks=ema", "callbacks.early_stopping.patience=1"],
)  # fmt: skip
def test_what_weights_depend_on_changes_the_key(override: str):
    assert key(override) != key()


def test_a_decoding_schedule_alone_leaves_the_key_alone():
    target = "training.mask_schedule={_target_: maskgit_lab.core.schedules.Cosine}"
    assert key("mask_schedule=linear", target) == key()


def test_decoding_counts_where_its_scores_choose_the_epoch():
    watching = "callbacks.best.monitor=val/psnr_hole"
    assert key(watching, "decode.sweet_spot=3") != key(watching)
    assert key(watching, "metrics=inception") != key(watching)


def test_other_pictures_and_another_tokenizer_change_the_key():
    cfg = composed()
    keys = {
        training_key(cfg, builders.splits(), builders.tokenizer()),
        training_key(cfg, builders.splits(train=20), builders.tokenizer()),
        training_key(cfg, builders.splits(), builders.tokenizer(seed=1)),
    }
    assert len(keys) == 3


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


def test_a_training_is_found_and_taken_over(tmp_path: Path):
    store = TrainedStore(tmp_path / "trained")
    store.folder.mkdir()
    store.keep("k", trained_run(tmp_path / "0"), RESULT)
    trained = store.find("k")
    assert trained is not None
    taker, result = RunFolder(tmp_path / "1"), {"seconds": {}}
    adopt(trained, taker, result)
    assert taker.checkpoint("best").read_text() == "best"
    assert taker.checkpoint("last").samefile(tmp_path / "0" / "checkpoints" / "last.ckpt")
    assert result["monitor"] == {"name": "val/loss", "best": 2.0}
    assert result["trained_by"] == {"run": str((tmp_path / "0").resolve()), "seconds": 9.0}


def test_curves_are_taken_over_without_scores_of_another_decoding(tmp_path: Path):
    store = TrainedStore(tmp_path)
    store.keep("k", trained_run(tmp_path / "0"), RESULT)
    trained = store.find("k")
    assert trained is not None
    assert curves_of(trained) == [(3, {"val/loss": 2.5, "epoch": 0.0}), (7, {"val/loss": 2.0, "epoch": 1.0})]


def test_a_training_whose_checkpoints_are_gone_is_not_found(tmp_path: Path):
    store, run = TrainedStore(tmp_path), trained_run(tmp_path / "0")
    store.keep("k", run, RESULT)
    run.checkpoint("last").unlink()
    assert store.find("k") is None
    assert store.find("other") is None


def test_a_sweep_can_be_moved(tmp_path: Path):
    store = TrainedStore(tmp_path / "sweep" / "trained")
    store.folder.mkdir(parents=True)
    store.keep("k", trained_run(tmp_path / "sweep" / "0"), RESULT)
    (tmp_path / "sweep").rename(tmp_path / "moved")
    assert TrainedStore(tmp_path / "moved" / "trained").find("k") is not None
    assert json.loads((tmp_path / "moved" / "trained" / "k.json").read_text())["run"] == "../0"
