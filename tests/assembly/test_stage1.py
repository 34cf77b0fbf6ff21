"""Stage 1 in the cache: found when it is whole, made again when it is not, never kept when it is of no use."""

from pathlib import Path

import pytest
import torch

from maskgit_lab.assembly import stage1
from maskgit_lab.assembly.keys import tokenizer_key
from maskgit_lab.assembly.stage1 import find_or_train_tokenizer
from maskgit_lab.training.stage_trainer import whole_checkpoint
from tests.support import builders
from tests.support.configs import configuration


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a tokenizer lies in the cache; training writes the same one."""
    config = configuration(f"paths.cache={tmp_path}")
    path = config.paths.cache_folder / "tokenizers" / tokenizer_key(config, builders.splits()) / "tokenizer.pt"

    def train(*_: object) -> object:
        builders.tokenizer().save(path)
        return "trained"

    monkeypatch.setattr(stage1, "_train_and_keep", train)
    train()
    return path


def find(cached: Path) -> object:
    config = configuration(f"paths.cache={cached.parents[2]}")
    return find_or_train_tokenizer(config, builders.splits(), folder=cached.parents[2])


def nan_weights(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    next(iter(content["state_dict"].values())).view(-1)[0] = float("nan")
    torch.save(content, path)


HARM = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "flipped": lambda path: path.write_bytes(path.read_bytes().replace(b"\x3f", b"\x3e", 1)),
    "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: torch.save({"a": 1}, path),
    "NaN": nan_weights,
}


@pytest.mark.parametrize("harm", HARM)
def test_find_or_train_tokenizer_makes_a_damaged_one_again_and_says_so_once(
    harm: str, cached: Path, caplog: pytest.LogCaptureFixture
):
    HARM[harm](cached)
    assert find(cached) == "trained"
    assert caplog.text.count(f"Cache: {cached} ") == 1
    assert getattr(find(cached), "sha256", None) == builders.tokenizer().sha256


def test_stage_1_begins_anew_where_its_checkpoint_is_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "last.ckpt"
    assert whole_checkpoint(path, stage="Stage 1") is None
    assert caplog.text == ""
    path.write_bytes(b"PK\x03\x04 cut")
    assert whole_checkpoint(path, stage="Stage 1") is None
    assert f"Cache: {path} " in caplog.text
    assert "Stage 1 begins anew" in caplog.text


def test_frozen_tokenizer_with_nan_is_not_kept(tmp_path: Path):
    tokenizer = builders.tokenizer()
    next(tokenizer.model.parameters()).view(-1)[0] = float("nan")
    with pytest.raises(ValueError, match=r"the tokenizer is not kept at .*tokenizer.pt: 1 of the \d+ numbers of \S+ are NaN"):
        tokenizer.save(tmp_path / "tokenizer.pt")
    assert list(tmp_path.iterdir()) == []


def test_find_or_train_tokenizer_depends_on_its_seed_and_not_on_what_was_drawn_before(tmp_path: Path):
    sizes = (
        "data.source.resolution=32", "tokenizer.model.img_resolution=32", "tokenizer.model.channels=8",
        "tokenizer.model.num_blocks=1", "tokenizer.training.max_steps=1", "trainer.accelerator=cpu", "trainer.precision=32-true",
    )  # fmt: skip
    found = set()
    for drawn in (0, 5):
        torch.manual_seed(drawn)
        config = configuration(*sizes, f"paths.cache={tmp_path / str(drawn)}", "seed=3", "tokenizer.seed=0")
        found.add(find_or_train_tokenizer(config, builders.splits(), folder=tmp_path).sha256)
    assert len(found) == 1
