"""Batches: tokens that belong to their images, holes that stay."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from maskgit_lab.data.datamodule import InpaintingDataModule
from tests.support.builders import datamodule, splits


def set_up(folder: Path, **changes: Any) -> InpaintingDataModule:
    few = {"batch_size": 5, "val_batch_size": 3, "num_train_holes": 6, "num_val_fills": 4}
    module = datamodule(folder, **{**few, **changes})
    module.setup("fit")
    return module


def test_train_dataloader_gives_the_same_batches_again_when_overfitting(tmp_path: Path):
    module = set_up(tmp_path)
    module.trainer = SimpleNamespace(overfit_batches=2, global_rank=0, world_size=1)  # type: ignore[assignment]
    loader = module.train_dataloader()
    first, second = (next(iter(loader))["tokens"] for _ in range(2))
    assert torch.equal(first, second)
    assert len(loader) == 24 // 5


@pytest.mark.parametrize("flip", [False, True])
def test_train_dataloader_gives_tokens_that_belong_to_their_images(tmp_path: Path, flip: bool):
    module = set_up(tmp_path, flip=flip)
    batches = list(module.train_dataloader())
    assert len(batches) == (48 if flip else 24) // 5
    for batch in batches:
        assert batch["tokens"].dtype == torch.int64
        assert torch.equal(module.tokenizer.encode(batch["images"]), batch["tokens"])


@pytest.mark.parametrize("flip", [False, True])
def test_datamodule_without_the_cache_gives_the_same_batches(tmp_path: Path, flip: bool):
    cached, anew = (set_up(tmp_path / mode, flip=flip, cache=mode) for mode in ("on", "off"))
    assert not (tmp_path / "off").exists()
    for name in ("train_dataloader", "val_dataloader"):
        pairs = list(zip(getattr(cached, name)(), getattr(anew, name)(), strict=True))
        assert len(pairs) > 2
        for first, second in pairs:
            assert first.keys() == second.keys()
            assert all(torch.equal(first[key], second[key]) for key in first)


def test_datamodule_refuses_another_word_for_the_cache_by_its_key(tmp_path: Path):
    with pytest.raises(ValueError, match=r"data\.cache must be on or off, got 'maybe'"):
        set_up(tmp_path, cache="maybe")


def test_val_dataloader_is_whole_and_in_order(tmp_path: Path):
    module = set_up(tmp_path, flip=True)
    images = torch.cat([batch["images"] for batch in module.val_dataloader()])
    assert torch.equal(images, torch.from_numpy(splits().val.images))


def test_train_dataloader_leaves_images_out_where_nothing_reads_them(tmp_path: Path):
    assert set(next(iter(set_up(tmp_path, with_images=False).train_dataloader()))) == {"tokens"}


def test_datamodule_holes_are_fixed_and_differ_between_training_and_scores(tmp_path: Path):
    module = set_up(tmp_path)
    fills = module.val_fills()
    assert torch.equal(module.train_holes(), set_up(tmp_path / "other").train_holes())
    assert len(fills) == 4
    assert (fills.images[fills.holes] == 128).all()
    bank = {hole.numpy().tobytes() for hole in module.train_holes()}
    assert not bank & {hole.tobytes() for hole in fills.holes}
    assert not torch.equal(module.train_holes(), set_up(tmp_path, seed=1).train_holes())


def test_datamodule_refuses_a_batch_larger_than_the_set(tmp_path: Path):
    with pytest.raises(ValueError, match=r"data.batch_size \(25\) exceeds the training set \(24 images\)"):
        set_up(tmp_path, batch_size=25)
