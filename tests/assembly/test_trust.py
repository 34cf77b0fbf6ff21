"""A configuration that is read from a folder is data: what it asks for beyond that is refused, by file, key and value."""

import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from maskgit_lab.assembly.read import as_yaml, load_config, read
from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.assembly.trust import check_recorded
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.runs.sweep import read_sweep
from tests.support.configs import composed, configuration

RUN = Path(__file__).parents[1] / "fixtures" / "run"
RECORDED: Any = OmegaConf.to_container(OmegaConf.load(RUN / "config.yaml"))
HOSTILE = (
    "torch.load", "numpy.load", "joblib.load", "builtins.open", "builtins.eval", "shutil.copyfile", "os.makedirs", "os.system",
    "subprocess.Popen", "functools.partial", "hydra.utils.get_class", "hydra.utils.call", "hydra.utils.instantiate",
    "maskgit_lab.data.image_files.np.load", "maskgit_lab.runs.provenance.subprocess.run", "maskgit_lab.runs.provenance.commit",
    "maskgit_lab.machine.text_file.write_text", "maskgit_lab.core.schedules.Cosine.__init__", "lightning.pytorch.cli.LightningCLI",
    "lightning.pytorch.callbacks.LambdaCallback", "lightning.pytorch.loggers.CSVLogger", "pathlib.Path.touch", "",
)  # fmt: skip
PLACES = (
    "data.source", "tokenizer.model", "model.transformer", "model.context", "mask_schedule", "training.mask_schedule", "optimizer",
    "trainer", "callbacks.best", "callbacks.mine", "logger.wandb", "metrics.extractor", "decode", "data", "callbacks",
    "trainer.strategy", "data.source.root", "tokenizer.training.perceptual", "tokenizer.training.optimizer", "notes",
)  # fmt: skip


def folder_with(path: Path, **changes: Any) -> Path:
    """Write a run folder whose configuration is the fixture's with changes by dotted key."""
    config = copy.deepcopy(RECORDED)
    for key, value in changes.items():
        *groups, last = key.split(".")
        node = config
        for group in groups:
            node = node.setdefault(group, {})
        node[last] = value
    path.mkdir(exist_ok=True)
    (path / "config.yaml").write_text(json.dumps(config), encoding="utf-8")  # which YAML is, too
    return path


def refusal(folder: Path) -> str:
    with pytest.raises(ValueError, match=re.escape(str(folder / "config.yaml"))) as error:
        load_config(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module")
def typed() -> DictConfig:
    return composed()


def resumed(typed: DictConfig, folder: Path, *overrides: str, **values: Any) -> TrainConfig:
    """Return what `train` is told by resume=FOLDER and further overrides."""
    cfg = typed.copy()
    for key, value in {"resume": str(folder), **values}.items():
        OmegaConf.update(cfg, key, value)
    config = read("train", cfg, [f"resume={folder}", *overrides])
    assert isinstance(config, TrainConfig)
    return config


@pytest.mark.parametrize("target", HOSTILE)
def test_recorded_target_is_refused_wherever_it_stands(target: str):
    for place in PLACES:
        config = OmegaConf.create({})
        OmegaConf.update(config, place, {"_target_": target, "path": "x"}, force_add=True)
        with pytest.raises(ValueError, match=rf"run/config\.yaml: {place}\._target_ is {re.escape(repr(target))}"):
            check_recorded(config, Path("run/config.yaml"))


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("callbacks.mine", "maskgit_lab.core.schedules.Cosine"), ("data.source", "lightning.Trainer"), ("optimizer", ["os.system"]),
        ("mask_schedule", "${name}"), ("model.transformer", "maskgit_lab.data.synthetic_cats.SyntheticCats"),
    ],
)  # fmt: skip
def test_recorded_target_is_refused_at_the_place_of_another(place: str, target: Any, tmp_path: Path):
    assert f"{place}._target_ is" in refusal(folder_with(tmp_path, **{place: {"_target_": target}}))


@pytest.mark.parametrize("key", ["_args_", "_partial_", "_recursive_", "_convert_", "_mode_"])
def test_recorded_key_that_hydra_obeys_is_refused(key: str, tmp_path: Path):
    folder = folder_with(tmp_path, **{f"optimizer.{key}": True})
    assert f"optimizer.{key}, which a configuration that is read from a folder may not have" in refusal(folder)


@pytest.mark.parametrize(
    "value",
    ["${oc.env:HOME}", "${oc.decode:1}", "${oc.select:seed}", "${oc.create:{a:1}}", "a${oc.env:PATH}b", "${now:%Y}"],
)  # fmt: skip
def test_recorded_interpolation_calls_nothing(value: str, tmp_path: Path):
    assert "notes is" in refusal(folder_with(tmp_path, notes=value))


def test_recorded_interpolation_may_name_another_key(tmp_path: Path):
    folder = folder_with(tmp_path, **{"data.source.seed": "${seed}", "notes": "${name} \\${literal}"})
    assert (load_config(folder).data["source"]["seed"], load_config(folder).notes) == (0, "fixture ${literal}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("callbacks.best.dirpath", "/tmp/elsewhere"), ("callbacks.best.dirpath", "s3://bucket"), ("callbacks.mine.dirpath", "~/x"),
        ("callbacks.last.filename", "../../escape"), ("callbacks.last.filename", "/etc/escape"),
        ("trainer.default_root_dir", "/tmp"), ("logger.wandb.save_dir", "/tmp"), ("trainer.model_registry", "org/model"),
        ("callbacks.best.dirpath", 5),
    ],
)  # fmt: skip
def test_recorded_path_does_not_leave_the_folder(key: str, value: Any, tmp_path: Path):
    assert f"{key} is {value!r}, which leads out of the run folder" in refusal(folder_with(tmp_path / "run", **{key: value}))


def test_recorded_path_inside_the_folder_is_fine(tmp_path: Path):
    load_config(folder_with(tmp_path, **{"callbacks.best.dirpath": str(tmp_path / "more"), "callbacks.best.filename": "b-{epoch}"}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: !!python/object/apply:os.system [touch x]", "line 1: the tag"),
        ("name: !mine x", "line 1: the tag"),
        ("a: &a [1]\nname: *a", "line 2: an alias"),
        ("name: " + "[" * 50 + "]" * 50, "nested deeper than 20"),
        ("name: x\n" * 100_000, "larger than"),
        ("name: " + "9" * 5000, "is damaged"),
        ("name: [", "is damaged"), ("", "is empty"), ("- a", "is damaged"), ("\x00", "is damaged"),
        ("seed: {a: b}", "is damaged"), ("name: é".encode("latin-1"), "is no text in UTF-8"),
        ("nmae: x", "nmae is no key of a run"),
        ("notes: ${name${oc.env:HOME}}", "is damaged"), ("notes: ${${name}}", "notes is"),
    ],
)  # fmt: skip
def test_recorded_file_that_is_no_configuration_is_refused_in_one_line(text: str | bytes, message: str, tmp_path: Path):
    (tmp_path / "config.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert message in refusal(tmp_path)


@pytest.mark.parametrize("group", ["data", "optimizer", "trainer", "callbacks", "decode", "tokenizer", "model", "metrics"])
def test_recorded_file_that_was_cut_names_what_is_missing(group: str, tmp_path: Path):
    folder = folder_with(tmp_path)
    config = copy.deepcopy(RECORDED)
    del config[group]
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    assert f"is damaged: {group}" in refusal(folder)


def test_recorded_targets_of_this_package_and_lightning_callbacks_are_taken(tmp_path: Path):
    mine = "+callbacks.timer={_target_: lightning.pytorch.callbacks.Timer, duration: '00:12:00:00'}"
    options = ("recipe=lab", "callbacks=ema", "metrics=inception", "data=cat_faces", "data.root=x", "mask_schedule=vector")
    config = configuration(*options, mine)
    (tmp_path / "config.yaml").write_text(as_yaml(config), encoding="utf-8")
    assert load_config(tmp_path) == config


def test_target_that_is_typed_on_resume_is_the_users_own(typed: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = folder_with(tmp_path, **{"callbacks.mine": {"_target_": "my.Callback", "size": 3}})
    assert "callbacks.mine._target_=my.Callback" in refusal(folder)
    with pytest.raises(ValueError, match=r"callbacks\.mine\._target_ is 'my\.Callback'"):
        resumed(typed, folder)
    assert resumed(typed, folder, "callbacks.mine._target_=my.Callback").callbacks["mine"] == {"_target_": "my.Callback", "size": 3}
    monkeypatch.setenv("MASKGIT_LAB_TRUST", "other.Thing, my.Callback")
    assert load_config(folder).callbacks["mine"]["size"] == 3


def test_resume_writes_to_the_places_of_this_command_not_of_the_folder(typed: DictConfig, tmp_path: Path):
    folder = folder_with(tmp_path / "run", **{"paths.cache": "/somewhere/else", "paths.runs": "/somewhere"})
    config = resumed(typed, folder, **{"paths.cache": str(tmp_path / "cache")})
    assert (config.paths.cache, config.paths.runs) == (str(tmp_path / "cache"), typed.paths.runs)


def test_inpainter_of_a_hostile_folder_runs_nothing(tmp_path: Path):
    folder = tmp_path / "run"
    shutil.copytree(RUN, folder)
    for target, arguments in (
        ("builtins.open", {"file": str(tmp_path / "made"), "mode": "w"}), ("os.makedirs", {"name": str(tmp_path / "made")}),
        ("shutil.copyfile", {"src": str(folder / "result.json"), "dst": str(tmp_path / "made")}),
    ):  # fmt: skip
        for place in ("mask_schedule", "model.transformer", "callbacks.best"):
            folder_with(folder, **{place: {"_target_": target, **arguments}})
            with pytest.raises(ValueError, match=r"config\.yaml: "):
                Inpainter.from_run(folder, device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_sweep_of_a_hostile_folder_reads_no_environment(tmp_path: Path):
    folder_with(tmp_path / "0", notes="${oc.env:HOME}")
    (job,) = read_sweep(tmp_path)
    assert (job.status, dict(job.config)) == ("damaged", {})
    assert "may not call resolvers" in job.result["error"]
