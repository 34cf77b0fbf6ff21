"""Every configuration composes, every target exists and takes what it is given, and misspellings are refused."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.constructors import check_decoder_constructors
from maskgit_lab.assembly.networks import decode_changes, decode_settings
from maskgit_lab.assembly.read import as_yaml, typed
from maskgit_lab.assembly.schemas import DecoderConfig, TrainConfig, register
from maskgit_lab.assembly.trust import check_recorded
from tests.support.configs import CONF, check_target, composed, configuration, hydra_composed, targets
from tests.support.policies import POLICIES

pytestmark = pytest.mark.thorough

GROUPS = sorted(p.name for p in CONF.iterdir() if p.is_dir() and p.name != "hydra")
OPTIONS = [(group, p.stem) for group in GROUPS for p in sorted((CONF / group).glob("[!_]*.yaml"))]


def choices() -> Iterator[tuple[str, ...]]:
    """Yield every option: one of each group at a time, those that replace options of other groups by themselves."""
    by_group = {group: [f"{group}={option}" for name, option in OPTIONS if name == group] for group in GROUPS}
    for group in ("debug", "experiment", "recipe"):
        yield from ((choice,) for choice in by_group.pop(group))
    for together in zip_longest(*by_group.values()):
        yield tuple(choice for choice in together if choice)


@pytest.mark.parametrize("options", list(choices()), ids=" ".join)
def test_options_all_compose_and_fit_their_targets(options: tuple[str, ...]):
    nodes = list(targets(composed(*options)))
    assert len(nodes) > 10
    for node in nodes:
        check_target(node)


@pytest.mark.parametrize("name", ["train", "train_tokenizer", "train_decoder", "inpaint", "app", "evaluate", "audit", "report"])
def test_commands_all_have_a_configuration_with_help(name: str):
    assert composed(name=name)
    assert "python -m maskgit_lab." in (CONF / f"{name}.yaml").read_text()


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=lambda value: value)
def test_option_files_say_what_they_are(group: str, option: str):
    lines = (CONF / group / f"{option}.yaml").read_text().splitlines()
    text = [line for line in lines if line.startswith("#") and "@package" not in line]
    assert text or group == "mask_schedule"


@pytest.mark.parametrize("schedule", [p.stem for p in sorted((CONF / "mask_schedule").glob("*.yaml"))])
def test_mask_schedules_are_built_and_end_with_nothing_hidden(schedule: str):
    built = build(composed(f"mask_schedule={schedule}").mask_schedule)
    assert built(1.0) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    "overrides",
    [(), ("model=small", "seed=1", "+optimizer.own=3"), ("recipe=lab", "decode/policy=halton", "trainer.max_epochs=1"),
     ("~callbacks.samples", "callbacks=ema", "callbacks.ema.decay=0.5"), ("data.root=x", "data=image_folder", "++data.own=[1,2]")],
)  # fmt: skip
def test_composed_of_the_tests_is_what_hydra_composes(overrides: tuple[str, ...]):
    found, real = composed(*overrides), hydra_composed("train", overrides)
    assert found == real
    assert OmegaConf.to_yaml(found) == OmegaConf.to_yaml(real)  # interpolations stay what they are, and keys in their order


@pytest.mark.parametrize("override", ["sed=1", "trainr.max_epochs=1", "data.batchsize=4", "decode.steps=3"])
def test_compose_refuses_misspelt_keys(override: str):
    with pytest.raises(ConfigCompositionException, match=override.split("=")[0].split(".")[-1]):
        composed(override)


def test_build_refuses_a_key_that_a_target_does_not_take_by_name():
    cfg = composed("+optimizer.learning_rate=1e-3")
    with pytest.raises(ValueError, match=r"AdamSettings.*learning_rate"):
        build(cfg.optimizer)


def test_build_passes_the_message_of_a_constructor_through():
    with pytest.raises(ValueError, match=r"optimizer.decay must be cosine or constant, got 'step'"):
        build(composed("optimizer.decay=step").optimizer)


def test_experiment_wins_over_the_recipe_and_the_command_line_over_both():
    assert composed("experiment=linear", "recipe=lab").mask_schedule._target_.endswith("Linear")
    assert composed("experiment=cats_cpu").tokenizer.model.channels == composed("recipe=small").tokenizer.model.channels
    cfg = composed("experiment=cats_cpu", "data.batch_size=3", "optimizer.lr=0.5", "model=tiny")
    assert (cfg.data.batch_size, cfg.optimizer.lr) == (3, 0.5)
    assert cfg.model == composed("model=tiny").model


def test_the_best_recipe_is_the_shorter_one_for_longer():
    shorter, longer = composed("experiment=cats_cpu"), composed("experiment=cats_best", "model=tiny")
    assert longer.model == composed("model=tiny").model
    assert longer.data == shorter.data
    assert longer.tokenizer == shorter.tokenizer  # one in the cache serves both
    assert longer.decoder.training.max_steps == longer.decoder.training.fill_steps > shorter.decoder.training.max_steps
    assert longer.trainer.max_epochs > shorter.trainer.max_epochs


def test_mask_schedule_of_training_follows_that_of_decoding_unless_told():
    cfg = composed("mask_schedule=square")
    assert cfg.training.mask_schedule == cfg.mask_schedule
    apart = composed("mask_schedule=square", "training.mask_schedule={_target_: maskgit_lab.core.schedules.Linear}")
    assert apart.training.mask_schedule._target_.endswith("Linear")
    assert apart.mask_schedule._target_.endswith("Square")


@pytest.mark.parametrize("data", ["cat_faces", "image_folder"])
def test_data_root_reaches_its_source(data: str, tmp_path: Path):
    cfg = composed(f"data={data}", f"data.root={tmp_path}", "data.split=lab")
    source = build(cfg.data.source)
    assert (source.root, source.split) == (tmp_path, "lab")


def test_policies_that_are_tested_are_those_of_the_yaml_files():
    names = {path.stem: OmegaConf.load(path)._target_.rpartition(".")[2] for path in (CONF / "decode" / "policy").glob("*.yaml")}
    assert set(names.values()) == {policy.name for policy in POLICIES.values()}
    assert set(names) <= set(POLICIES)


@pytest.mark.parametrize("policy", [path.stem for path in sorted((CONF / "decode" / "policy").glob("*.yaml"))])
def test_policies_compose_build_and_are_read_back_from_what_a_run_records(policy: str):
    config = configuration(f"decode/policy={policy}")
    built = decode_settings(config).policy
    recorded = OmegaConf.create(as_yaml(config))
    assert isinstance(recorded, DictConfig)
    check_recorded(recorded, CONF / "config.yaml")
    assert decode_settings(typed(recorded, TrainConfig)).policy == built
    assert "${" not in (CONF / "decode" / "policy" / f"{policy}.yaml").read_text()  # so that it is the same wherever it is chosen
    for name in ("inpaint", "evaluate") if policy == "remdm" else ():
        options = ["run=x", "images=y", "out=z"] if name == "inpaint" else ["run=x"]
        given = OmegaConf.to_container(composed(f"decode/policy={policy}", *options, name=name).decode)
        assert decode_changes(given)["policy"] == built  # type: ignore[arg-type]
        assert "policy" not in decode_changes(OmegaConf.to_container(composed(*options, name=name).decode))  # type: ignore[arg-type]


def test_recipe_lab_is_the_published_one():
    cfg = composed("recipe=lab", "data=cat_faces", "data.root=x")
    assert (cfg.trainer.max_epochs, cfg.data.batch_size, cfg.optimizer.lr) == (150, 10, 1e-4)
    assert (cfg.model.transformer.dim, cfg.model.transformer.num_layers, cfg.model.transformer.num_heads) == (768, 15, 16)
    assert (cfg.decode.num_steps, cfg.decode.choice_temperature) == (7, 4.5)
    assert cfg.training.mask_region == "grid"
    assert cfg.model.context is None


def test_build_gives_objects_that_hold_plain_values():
    source = build(composed("data=image_folder", "data.root=x").data.source)
    assert type(source.hole_share) is tuple
    assert type(build(composed().optimizer).betas) in (list, tuple)


def test_wandb_sweep_file_drives_the_command():
    sweep = OmegaConf.to_container(OmegaConf.load(CONF / "wandb_sweep.yaml"))
    assert isinstance(sweep, dict)
    words = [str(word) for word in sweep["command"]]
    assert words[2:4] == ["-m", "maskgit_lab.train"]
    values = [f"{key}={choice['values'][-1]}" for key, choice in sweep["parameters"].items()]
    cfg = composed(*values, *words[5:])
    assert (cfg.decode.sweet_spot, cfg.seed, cfg.reuse, cfg.logger.offline) == (7, 1, "cache", False)
    assert sweep["metric"]["name"].startswith("val/loss")


@pytest.mark.parametrize("overlay", ["sweep_schedule", "sweep_sweet_spot", "sweep_batch_size", "sweep_seeds"])
def test_sweep_overlays_need_no_flag(overlay: str):
    register()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = compose(config_name="train", overrides=[f"experiment={overlay}"], return_hydra_config=True)
    assert cfg.hydra.mode.name == "MULTIRUN"
    assert "seed" in cfg.hydra.sweeper.params
    assert cfg.tokenizer.seed == 0  # one stage 1 for all jobs


def test_decoder_plain_takes_a_recipes_decoder_away_and_is_nothing_to_train():
    config = configuration("experiment=cats_cpu", "data.root=.")
    assert config.decoder is not None
    assert configuration("experiment=cats_cpu", "data.root=.", "decoder=plain", "perceptual_weights=w.pth").decoder is None
    with pytest.raises(ValueError, match="decoder=conditional trains one"):
        check_decoder_constructors(DecoderConfig(model=None, training=config.decoder.training))
