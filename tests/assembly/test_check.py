"""Mistakes that the configuration itself shows are one line, before anything heavy is imported."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf, open_dict

from maskgit_lab.assembly import check as checks
from maskgit_lab.assembly.check import flat
from maskgit_lab.assembly.constructors import check_constructors
from maskgit_lab.assembly.networks import FIGURE_STEPS
from maskgit_lab.assembly.read import read
from maskgit_lab.assembly.suggest import did_you_mean
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.data.datamodule import Serving
from maskgit_lab.data.holes import STYLES
from maskgit_lab.training.tokenizer_module import TokenizerSettings
from tests.support.configs import composed, configuration

RUN = str(Path(__file__).parents[1] / "fixtures" / "run")
REQUIRED: dict[str, dict[str, Any]] = {
    "train": {}, "inpaint": {"run": RUN, "images": ".",
    "out": "out"}, "evaluate": {"run": RUN}, "audit": {}, "report": {"run": RUN},
}  # fmt: skip


@pytest.fixture(scope="module")
def commands() -> dict[str, DictConfig]:
    return {name: composed(name=name) for name in REQUIRED}


def told(commands: dict[str, DictConfig], command: str, **values: Any) -> Any:
    cfg = commands[command].copy()
    with open_dict(cfg):
        for key, value in {**REQUIRED[command], **values}.items():
            OmegaConf.update(cfg, key, value, force_add=True)
    return read(command, cfg, ())


@pytest.mark.parametrize(
    ("command", "key", "value", "message"),
    [
        ("train", "seed", -1, "seed must be at least 0"),
        ("train", "seed", 2**32, "seed must be at least 0 and at most 4294967295"),
        ("train", "tokenizer.seed", -1, "tokenizer.seed must be at least 0"),
        ("train", "name", "../../escape", "name must be of letters"), ("train", "name", "a/b", "name must be of letters"),
        ("train", "name", "..", "name must be of letters"), ("train", "name", "", "name must be of letters"),
        ("train", "reuse", "swep", "reuse must be one of sweep, cache, never, got 'swep'; did you mean sweep?"),
        ("train", "speed", "fats", "speed must be fast or plain, got 'fats'; did you mean fast?"),
        ("train", "data.batch_size", 0, "data.batch_size must be at least 1"),
        ("train", "data.batch_size", "x", "data.batch_size must be a whole number"),
        ("train", "data.batch_size", None, "data.batch_size is missing"),
        ("train", "data.batch_size", True, "data.batch_size must be a whole number"),
        ("train", "data.val_batch_size", 1.5, "data.val_batch_size must be a whole number"),
        ("train", "data.flip", "maybe", "data.flip must be true or false, got 'maybe'"),
        ("train", "data.hole_share", [0.5], "data.hole_share must be"),
        ("train", "data.hole_share", [0.5, 0.1], "data.hole_share must be"),
        ("train", "data.hole_share", "wide", "data.hole_share must be"),
        ("train", "data.hole_style", "bruch", "did you mean brush?"),
        ("inpaint", "mask_hole", "red", "mask_hole must be white, black, alpha or a colour like #ff0000, got 'red'"),
        ("evaluate", "precision", "bf16", "precision must be one of 32-true, bf16-mixed, 16-mixed, got 'bf16'"),
        ("inpaint", "decode.num_steps", 10**9, "decode.num_steps must be at least 1 and at most 10000"),
        ("inpaint", "max_pixels", -1, "max_pixels must be at least 1"),
        ("train", "decode.num_steps", 0, "decode.num_steps must be at least 1"),
        ("train", "tokenizer.training.max_steps", 0, "tokenizer.training.max_steps must be at least 1"),
        ("train", "data.batchsize", 4, "data.batchsize is not known; there are batch_size, cache, flip"),
        ("train", "data.mask_hole", "black", "data.mask_hole is not known"),
        ("train", "data.masks", "m", "data.masks is not known"),
        ("train",
        "decode.sweetspot", 3, "did you mean sweet_spot?"),
        ("train", "logger.wanbd", None, "did you mean wandb?"),
        ("train", "tokenizer.training.maxsteps", 3, "did you mean max_steps?"),
        ("train", "sed", 1, "sed is no key here and would change nothing; did you mean seed?"),
        ("train", "training.labelsmoothing", 1, "training.labelsmoothing is no key here"),
        ("train", "model.contxt", 1, "did you mean context?"), ("train", "metrics.x", 1, "metrics.x is no key here"),
        ("train", "paths.chache", "x", "did you mean cache?"),
        ("train", "callbacks.early_stoping", None, "did you mean early_stopping?"),
        ("train", "callbacks.best", None, "callbacks.best is needed"),
        ("train", "data.source", None, "data.source._target_ is missing"),
        ("train", "trainer.accelerator", None, "trainer.accelerator is missing"),
        ("evaluate", "outputs", "x", "evaluate needs either"),
        ("train", "callbacks.mine", {"size": 3}, "callbacks.mine has no _target_"),
        ("train", "paths.runs", "/dev/null/x", "paths.runs=/dev/null/x must be a folder, but /dev/null is a file"),
        ("train", "paths.cache", RUN + "/config.yaml", "paths.cache="),
        ("train", "resume", "nowhere", "nowhere is not a run folder"), ("inpaint", "run", "nowhere", "nowhere is not a run folder"),
        ("inpaint", "run", None, "run must be given: run=RUN_FOLDER, or instead of it the lab's two files: vqgan="),
        ("inpaint", "vqgan", RUN + "/tokenizer.pt", "run must be given: run=RUN_FOLDER, or instead of it"),
        ("evaluate", "transformer", "x", "evaluate needs either run=RUN_FOLDER or"),
        ("inpaint", "out", RUN + "/config.yaml", "out="),
        ("inpaint", "batch_size", -1, "batch_size must be at least 1"),
        ("inpaint", "batch_size", 0, "batch_size must be at least 1"),
        ("inpaint", "device", "cudda", "device must be auto, cpu, cuda"), ("inpaint", "checkpoint", "bets", "did you mean best?"),
        ("inpaint", "hole_share", [0.0, 0.5], "hole_share must be two shares"),
        ("inpaint", "hole_style", "round", "hole_style must be"),
        ("inpaint", "seed", -1, "seed must be at least 0"), ("inpaint", "decode.num_step", 3, "did you mean num_steps?"),
        ("evaluate", "run", None, "evaluate needs either run=RUN_FOLDER or"), ("evaluate", "seeds", [], "seeds is empty"),
        ("evaluate", "seeds", [-1], "seeds[0] must be at least 0"),
        ("evaluate", "sweet_spots", [3, 0], "sweet_spots[1] must be at least 1"),
        ("evaluate", "schedules", ["cosin"], "did you mean cosine?"),
        ("evaluate", "max_images", 0, "max_images must be at least 2"),
        ("evaluate", "lpips", "alexx", "did you mean alex?"), ("audit", "num_pairs", -1, "num_pairs must be at least 0"),
        ("audit", "data.root", "x", "data.root is not known"), ("report", "run", "/nowhere", "is neither a run folder"),
    ],
)  # fmt: skip
def test_read_names_the_key_and_what_it_may_be(commands: Any, command: str, key: str, value: Any, message: str):
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        told(commands, command, **{key: value})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "transformer must be given: the lab's model is two files"),
        ({"transformer": "t.pt"}, "vqgan and transformer need images to be measured on: data=cat_faces data.root=DIR"),
        ({"transformer": "t.pt", "checkpoint": "last"}, "checkpoint belongs to run=RUN_FOLDER"),
        ({"transformer": "t.pt", "use_decoder": "conditional"}, "use_decoder belongs to run=RUN_FOLDER"),
    ],
)
def test_read_of_the_labs_two_files_names_what_is_missing_or_too_much(commands: Any, changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        told(commands, "evaluate", run=None, vqgan="VQGAN.pt", **changes)


def test_read_of_a_run_takes_no_other_images():
    with pytest.raises(ValueError, match="data goes with vqgan and transformer; a run is measured on its own images"):
        read("evaluate", composed(f"run={RUN}", "data=synthetic_cats", name="evaluate"), [])


def test_read_knows_schedules_of_the_folder_of_config_dir(tmp_path: Path):
    cfg = composed(f"run={RUN}", "schedules=[cosine,bend]", name="evaluate")
    with pytest.raises(ValueError, match=r"no mask schedule bend; there are arccos, cosine"):
        read("evaluate", cfg, [])
    (tmp_path / "mask_schedule").mkdir()
    (tmp_path / "mask_schedule" / "bend.yaml").write_text("_target_: bend.Bend\n")
    assert read("evaluate", cfg, [], config_folder=str(tmp_path)).schedules == ["cosine", "bend"]


def test_read_takes_what_is_right(commands: dict[str, DictConfig], tmp_path: Path):
    (tmp_path / "read_only").mkdir()
    (tmp_path / "read_only").chmod(0o555)
    values = {"name": "my run+1_é.2-b", "paths.cache": str(tmp_path / "read_only"), "paths.runs": str(tmp_path / "a=b, [c] é")}
    assert told(commands, "train", **values, **{"tokenizer.training.gradient_clip": 2.0}).name == "my run+1_é.2-b"
    for command in ("inpaint", "evaluate", "audit", "report"):
        told(commands, command)


def test_read_of_a_data_set_needs_its_root():
    with pytest.raises(ValueError, match=r"^data\.root must be given: data\.root=\.\.\."):
        read("train", composed("data=image_folder"), ())
    assert read("train", composed("data=image_folder", "data.root=x"), ()).data["masks"] is None


def test_check_knows_the_names_that_constructors_know():
    own_masks = {"train_masks", "train_mask_hole", "max_hole_share"}
    assert set(checks._option("data", "_serving")) == set(Serving.__dataclass_fields__) | own_masks
    assert checks._keys_of("decode") == set(DecodeSettings.__dataclass_fields__) - {"schedule"} | {FIGURE_STEPS}
    given = {"max_steps", "batch_size", "val_every_n_steps", "perceptual", "discriminator"}
    settings = set(TokenizerSettings.__dataclass_fields__) - {"total_steps", "seed"}
    assert {*checks._keys_of("tokenizer", "training"), *checks.TOKENIZER_DEFAULTS} == given | settings
    assert checks.CHOICES["data.hole_style"] == checks.CHOICES["hole_style"] == tuple(STYLES)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("trainer.maxepochs", 3, "trainer.maxepochs is no argument of lightning.Trainer; did you mean max_epochs?"),
        ("trainer.logger", False, "trainer.logger is set by the program; remove it"),
        ("optimizer.learning_rate", 1, "optimizer.learning_rate is no argument of maskgit_lab.training.optim.AdamSettings"),
        ("callbacks.best.modes", "min", "callbacks.best.modes is no argument of .*ModelCheckpoint; did you mean mode?"),
        ("callbacks.scores.seed", 1, "callbacks.scores.seed is set by the program"),
        ("callbacks.samples.num_image", 1, "did you mean num_images?"), ("data.source.resolutoin", 64, "did you mean resolution?"),
        ("model.transformer.num_layer", 1, "did you mean num_layers?"), ("model.context.chanels", 1, "did you mean channels?"),
        ("tokenizer.model.num_block", 1, "did you mean num_blocks?"),
        ("mask_schedule.power", 1, "mask_schedule.power is no argument"),
        ("metrics.extractor.weights", "x", "metrics.extractor.weights is no argument"),
        ("callbacks.mine", {"_target_": "my.Callback"}, "callbacks.mine._target_: cannot find my.Callback"),
        ("optimizer._target_", "maskgit_lab.training.optim.AdamSetings", "optimizer._target_: cannot find"),
    ],
)  # fmt: skip
def test_check_constructors_names_the_key_that_none_takes(small: Any, key: str, value: Any, message: str):
    cfg = small.copy()
    with open_dict(cfg):
        OmegaConf.update(cfg, key, value, force_add=True)
    with pytest.raises(ValueError, match=message):
        check_constructors(read("train", cfg, ()))


@pytest.fixture(scope="module")
def small() -> DictConfig:
    return composed()


def test_check_constructors_takes_lightnings_own_flags():
    overrides = ("+trainer.limit_train_batches=2", "+trainer.deterministic=true", "callbacks=ema", "logger=wandb")
    check_constructors(configuration(*overrides))


def test_did_you_mean_says_nothing_about_words_unlike_any():
    assert did_you_mean("batchsize", ["batch_size", "seed"]) == "; did you mean batch_size?"
    assert did_you_mean("zebra", ["batch_size", "seed"]) == ""


def test_flat_keeps_what_is_empty():
    assert flat({"a": {"b": [1, {"c": 2}]}, "d": {}, "e": []}) == {"a.b[0]": 1, "a.b[1].c": 2, "d": {}, "e": []}
