"""What a run left, read back: whole, or an error that names file and remedy."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from maskgit_lab.assembly.load import check_resumed, load_data, load_tokenizer, load_training_data, load_weights, trained_hole_share
from maskgit_lab.assembly.networks import build_model
from maskgit_lab.assembly.read import load_config
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.runs.folder import HOLE_SHARE, RunFolder
from tests.support.builders import boxes, write_pictures
from tests.support.configs import configuration

RUN = Path(__file__).parents[1] / "fixtures" / "run"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    shutil.copytree(RUN, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def harm(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def test_load_weights_refuses_those_of_another_network(run: RunFolder):
    tokenizer = load_tokenizer(run)
    config = load_config(run.root).model
    config.transformer["hidden_dim"] += 8
    with pytest.raises(ValueError, match=r"best.ckpt does not fit the network that config.yaml describes: size mismatch for"):
        load_weights(build_model(config, tokenizer), run.checkpoint("best"), tokenizer)


def test_check_resumed_says_nothing_of_a_whole_run_or_a_new_one(run: RunFolder, tmp_path: Path):
    for which in ("last", "best"):
        check_resumed(configuration(f"resume={run.root}", f"checkpoint={which}"), run)
    check_resumed(configuration(), RunFolder(tmp_path / "new"))


@pytest.mark.parametrize("name", ["result.json", "metrics.csv"])
def test_check_resumed_names_the_damaged_file(name: str, run: RunFolder):
    path = run.root / name
    path.write_bytes(b"damaged\n")
    with pytest.raises(DamagedFileError, match=f"{name} "):
        check_resumed(configuration(f"resume={run.root}"), run)


def test_check_resumed_refuses_a_choice_without_a_run():
    with pytest.raises(ValueError, match="checkpoint=best says where a run goes on from: it needs resume=RUN_FOLDER"):
        check_resumed(configuration("checkpoint=best"), RunFolder(Path("new")))


@pytest.mark.parametrize("harmed", [{}, {"codebook": torch.zeros(2)}])
def test_load_tokenizer_names_a_file_without_its_parts(harmed: dict[str, torch.Tensor], run: RunFolder):
    content = torch.load(run.tokenizer, weights_only=True)
    torch.save(content | {"state_dict": harmed}, run.tokenizer)
    with pytest.raises(ValueError, match=r"tokenizer.pt has not the parts of a tokenizer"):
        load_tokenizer(run)


@pytest.mark.parametrize(("key", "value"), [("dim", 65_536), ("hidden_dim", 65_536), ("num_layers", 200)])
def test_inpainter_builds_no_network_that_is_larger_than_its_checkpoint(key: str, value: int, run: RunFolder):
    config = OmegaConf.load(run.config)
    config.model.transformer[key] = value
    run.config.write_text(OmegaConf.to_yaml(config), encoding="utf-8")
    with pytest.raises(ValueError, match=r"best.ckpt does not fit the network that config.yaml describes: .* more than the file"):
        Inpainter.from_run(run.root)


@pytest.mark.parametrize(
    ("key", "value"),
    [("model.transformer.num_layers", 10**9), ("data.source.resolution", 10**6), ("decode.num_steps", 10**9), ("seed", -1)],
)
def test_load_config_refuses_sizes_that_nobody_uses(key: str, value: int, run: RunFolder):
    config = OmegaConf.load(run.config)
    OmegaConf.update(config, key, value, force_add=True)
    run.config.write_text(OmegaConf.to_yaml(config), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"config.yaml is damaged: {key} must be at least"):
        load_config(run.root)


@pytest.mark.parametrize(
    ("key", "value"), [("num_blocks", 10**9), ("channels", 10**6), ("num_codebook_vectors", 2**40), ("channels", 0)]
)
def test_load_tokenizer_builds_no_network_of_another_size_than_its_weights(key: str, value: int, run: RunFolder):
    content = torch.load(run.tokenizer, weights_only=True)
    torch.save(content | {"arguments": content["arguments"] | {key: value}}, run.tokenizer)
    with pytest.raises(ValueError, match=r"tokenizer.pt has not the parts of a tokenizer \("):
        load_tokenizer(run)


def test_trained_hole_share_is_that_of_own_masks_where_it_was_recorded(run: RunFolder):
    config = load_config(run.root)
    assert trained_hole_share(config, run) == (0.1, 0.3)  # as they were drawn
    run.write_result(run.read_result() | {HOLE_SHARE: [0.02, 0.05]})
    assert trained_hole_share(config, run) == (0.1, 0.3)  # of no masks of its own
    OmegaConf.save(OmegaConf.merge(OmegaConf.load(run.config), {"data": {"train_masks": "masks"}}), run.config)
    assert Inpainter.from_run(run.root, device="cpu").hole_share == (0.02, 0.05)
    run.write_result({key: value for key, value in run.read_result().items() if key != HOLE_SHARE})
    assert Inpainter.from_run(run.root, device="cpu").hole_share == (0.1, 0.3)  # of a version that did not record it


@pytest.mark.parametrize("share", [[0.5], [0.5, 0.2], [0, 0.2], ["a", "b"], 0.5, [0.5, 1.5]])
def test_read_hole_share_refuses_what_is_none(share: object, run: RunFolder):
    run.write_result(run.read_result() | {HOLE_SHARE: share})
    with pytest.raises(DamagedFileError, match=r"result.json is not of a run: its train_hole_share is"):
        run.read_hole_share()


@pytest.mark.parametrize("hole", ["white", "black"])
def test_load_training_data_takes_holes_from_own_masks_with_any_data_set(hole: str, tmp_path: Path):
    masks = boxes(3, resolution=64)
    write_pictures(tmp_path / "masks", masks if hole == "white" else ~masks)
    few = [f"data.source.num_{split}=2" for split in ("train", "val", "test")]
    own = [f"data.train_masks={tmp_path / 'masks'}", f"data.train_mask_hole={hole}", f"paths.cache={tmp_path / 'cache'}"]
    config = configuration(*few, *own)
    splits = load_training_data(config.data, config.paths)
    assert splits.train_holes is not None
    np.testing.assert_array_equal(splits.train_holes, masks)
    assert load_data(config.data, config.paths).train_holes is None  # scoring a run does not need them
    config.data["train_mask_hole"] = "white" if hole == "black" else "black"
    with pytest.raises(ValueError, match=rf"use data.train_mask_hole={hole}. If such holes are meant: data.max_hole_share=1"):
        load_training_data(config.data, config.paths)
