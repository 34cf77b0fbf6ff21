"""What may be typed next to resume=RUN, and what it reaches."""

import dataclasses
import functools
import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from maskgit_lab.assembly.read import as_yaml, is_unfinished, resumed
from maskgit_lab.assembly.resume import INTERPOLATED, MAY_CHANGE, forced
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.provenance import process
from tests.support.configs import CONF, composed, configuration

DATA = ("data=image_folder", "data.root=photos", "data.masks='${data.root}/masks'")


# composing takes a while: once for each command line
recorded_text = functools.cache(lambda *overrides: as_yaml(configuration(*overrides)))
typed_alone = functools.cache(composed)


def run_folder(root: Path, *overrides: str, notes: bool = False) -> Path:
    """Write what a run records of its configuration, with Hydra's own notes or without."""
    RunFolder(root).write_config(recorded_text(*overrides))
    if notes:
        (root / ".hydra").mkdir()
        (root / ".hydra" / "config.yaml").write_text(OmegaConf.to_yaml(typed_alone(*overrides)))
    return root


def goes_on(root: Path, *overrides: str) -> DictConfig:
    cfg = typed_alone().copy()
    cfg.resume = str(root)
    return resumed(cfg, [f"resume={root}", *overrides])


def test_forced_lets_hydra_take_keys_of_the_run_that_the_default_options_do_not_have(tmp_path: Path):
    root = run_folder(tmp_path / "run", *DATA)
    typed = forced([f"resume={root}", "data.root=new", "data.batch_size=3", "tags=[a]", "hydra.verbose=true", "-m"])
    assert typed == [f"resume={root}", "++data.root=new", "++data.batch_size=3", "tags=[a]", "hydra.verbose=true", "-m"]
    config = resumed(composed(*typed[:4]), typed[:4])
    assert (config.data.source.root, config.data.batch_size, config.tags) == ("new", 3, ["a"])
    assert forced(["resume=auto", "data.root=new"]) == ["resume=auto", "data.root=new"]


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("trainer.max_epochs=9", 9),
        ("trainer.gradient_clip_val=null", None),
        ("trainer.limit_val_batches=3", 3),  # a key that the run did not set
        ("decode.num_steps=4", 4),
        ("callbacks.early_stopping.patience=50", 50),
        ("callbacks.scores=null", None),
        ("data.batch_size=8", 8),
        ("data.root='my photos, 2=3'", "my photos, 2=3"),
        ("tags=[a,b]", ["a", "b"]),
    ],
)
def test_resumed_takes_what_acts_on_a_run_that_has_begun(tmp_path: Path, override: str, value: Any):
    config = goes_on(run_folder(tmp_path / "run", *DATA), override)
    assert OmegaConf.select(config, override.partition("=")[0]) == value
    assert config.data.source._target_.endswith("ImageFolder")  # not what the command line alone would choose


@pytest.mark.parametrize(
    "override",
    [
        "optimizer.lr=1e-6", "optimizer.decay=constant", "model.transformer.dim=64", "model.context=null", "tokenizer.seed=3",
        "tokenizer.checkpoint=x.pt", "tokenizer.training.max_steps=7", "seed=1", "data.flip=false", "data.hole_style=box",
        "data.num_train_holes=5", "data.source.val_share=0.3", "data.source.resolution=32", "training.label_smoothing=0.1",
        "training.mask_region=grid", "callbacks.best.monitor=train/loss", "callbacks.best=null", "callbacks.ema={decay: 0.9}",
        "trainer.fast_dev_run=true", "reuse=never",
    ],
)  # fmt: skip
def test_resumed_refuses_by_name_what_would_have_no_effect(tmp_path: Path, override: str):
    key = re.escape(override.partition("=")[0])
    with pytest.raises(ValueError, match=f"^{key} cannot be changed on resume: .* train a new run"):
        goes_on(run_folder(tmp_path / "run", *DATA), override)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.batchsize=4", "data.batchsize cannot be changed on resume: the run in .* has no such key"),
        ("logger.live=true", "logger.live cannot be changed on resume"),
        ("callbacks.new.every=3", "callbacks.new.every cannot be changed"),
        ("trainer=multi_gpu", "trainer is a group: on resume single values"),
        ("experiment=linear", "experiment cannot be changed on resume: the run in .* has no such key"),
        ("~callbacks.scores", "on resume a key gets one value"),
    ],
)
def test_resumed_refuses_what_the_run_does_not_have(tmp_path: Path, override: str, message: str):
    with pytest.raises(ValueError, match=message):
        goes_on(run_folder(tmp_path / "run", *DATA), override)


def test_resumed_accepts_what_is_typed_again_as_it_was(tmp_path: Path):
    config = goes_on(run_folder(tmp_path / "run", *DATA), "optimizer.lr=1.5e-3", "seed=0", "data.flip=true")
    assert config.optimizer.lr == 1.5e-3


@pytest.mark.parametrize("notes", [True, False])
def test_resumed_moves_what_was_taken_from_a_key_with_it(tmp_path: Path, notes: bool):
    root = run_folder(tmp_path / "run", *DATA, notes=notes)
    config = goes_on(root, "data.root=/new place", "logger.offline=false", "notes=moved")
    assert (config.data.root, config.data.source.root) == ("/new place", "/new place")
    assert config.data.source.masks == ("/new place/masks" if notes else "photos/masks")  # typed: only the notes know
    assert (config.logger.wandb.offline, config.logger.wandb.notes) == (False, "moved")


def test_resumed_leaves_what_was_set_apart_where_it_was(tmp_path: Path):
    root = run_folder(tmp_path / "run", *DATA, "data.source.root=elsewhere", notes=True)
    assert goes_on(root, "data.root=new").data.source.root == "elsewhere"
    config = goes_on(run_folder(tmp_path / "other", "mask_schedule=cosine"), "mask_schedule._target_=some.Linear")
    assert config.training.mask_schedule._target_.endswith("Cosine")  # the weights were made with it


def test_resumed_takes_the_commands_cache_and_never_the_recorded_one(tmp_path: Path):
    recorded = recorded_text().replace(f"cache: {configuration().paths.cache}", f"cache: {tmp_path / 'there'}")
    RunFolder(tmp_path / "run").write_config(recorded)
    (tmp_path / "there").mkdir()
    assert goes_on(tmp_path / "run").paths.cache == typed_alone().paths.cache
    assert goes_on(tmp_path / "run", f"paths.cache={tmp_path}").paths.cache == str(tmp_path)


def test_interpolated_lists_what_the_options_take_from_other_keys():
    found = {}
    for path in CONF.glob("*/*.yaml"):
        for key, other in re.findall(r"^ +(\w+): \$\{\.\.(\w+)\}", path.read_text(), flags=re.MULTILINE):
            found[f"{path.parent.name}.source.{key}"] = f"${{{path.parent.name}.{other}}}"
        for key, other in re.findall(r"^ +(\w+): \$\{([\w.]+)\}", path.read_text(), flags=re.MULTILINE):
            found[f"{path.parent.name}.{path.stem}.{key}"] = f"${{{other}}}"
    acting = {key: text for key, text in found.items() if key in MAY_CHANGE or key.partition(".")[0] in MAY_CHANGE}
    assert {key: text for key, text in acting.items() if not text.startswith("${.")} == INTERPOLATED


def test_as_yaml_records_no_place_of_the_run_itself():
    assert OmegaConf.create(as_yaml(dataclasses.replace(configuration(), resume="/here", force=True))).resume is None


@pytest.mark.parametrize(
    ("status", "overrides", "expected"),
    [
        ("interrupted", [], True),
        ("failed", [], True),
        ("running", [], True),  # its process is gone
        ("completed", [], False),
        ("interrupted", ["decode.num_steps=5"], False),
        ("interrupted", ["seed=1"], False),
        ("interrupted", ["paths.runs=elsewhere", "force=true"], True),
        ("interrupted", ["perceptual_weights=other.pth"], False),
    ],
)
def test_is_unfinished_finds_the_same_configuration_that_has_not_ended(
    tmp_path: Path, status: str, overrides: list[str], expected: bool
):
    root = run_folder(tmp_path / "run", "trainer.max_epochs=3")
    RunFolder(root).write_result({"status": status, "process": {"host": process()["host"], "pid": 2**22 + 1}})
    assert is_unfinished(root, typed_alone("trainer.max_epochs=3", "resume=auto", *overrides)) is expected


def test_is_unfinished_knows_the_perceptual_loss_that_was_recorded(tmp_path: Path):
    root = run_folder(tmp_path / "run", "perceptual_weights=w.pth")
    RunFolder(root).write_result({"status": "interrupted", "process": {"host": process()["host"], "pid": 2**22 + 1}})
    assert is_unfinished(root, typed_alone("perceptual_weights=w.pth", "resume=auto"))


def test_is_unfinished_leaves_a_run_alone_that_is_worked_on_and_one_that_cannot_be_read(tmp_path: Path):
    root = run_folder(tmp_path / "run")
    RunFolder(root).write_result({"status": "running", "process": process()})
    assert not is_unfinished(root, typed_alone("resume=auto"))
    RunFolder(root).result.write_text("{")
    assert not is_unfinished(root, typed_alone("resume=auto"))
