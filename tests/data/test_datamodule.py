"""Batches: tokens that belong to their pictures, holes that stay."""

from pathlib import Path
from typing import Any

import pytest
import torch

from maskgit_lab.data.datamodule import InpaintingDataModule
from tests.support.builders import splits, tokenizer


def datamodule(cache: Path, **changes: Any) -> InpaintingDataModule:
    arguments: dict[str, Any] = {
        "splits": splits(), "tokenizer": tokenizer(), "cache": cache, "batch_size": 5, "val_batch_size": 3,
        "with_images": True, "num_train_holes": 6, "num_val_fills": 4,
    }  # fmt: skip
    module = InpaintingDataModule(**{**arguments, **changes})
    module.setup("fit")
    return module


@pytest.mark.parametrize("flip", [False, True])
def test_tokens_belong_to_their_pictures(tmp_path: Path, flip: bool):
    module = datamodule(tmp_path, flip=flip)
    batches = list(module.train_dataloader())
    assert len(batches) == (48 if flip else 24) // 5
    for batch in batches:
        assert batch["tokens"].dtype == torch.int64
        assert torch.equal(module.tokenizer.encode(batch["images"]), batch["tokens"])


@pytest.mark.parametrize("flip", [False, True])
def test_without_the_cache_the_batches_are_the_same(tmp_path: Path, flip: bool):
    cached, anew = (datamodule(tmp_path / mode, flip=flip, token_cache=mode) for mode in ("on", "off"))
    assert not (tmp_path / "off").exists()
    for name in ("train_dataloader", "val_dataloader"):
        pairs = list(zip(getattr(cached, name)(), getattr(anew, name)(), strict=True))
        assert len(pairs) > 2
        for first, second in pairs:
            assert first.keys() == second.keys()
            assert all(torch.equal(first[key], second[key]) for key in first)


def test_another_word_for_the_cache_is_refused_by_its_key(tmp_path: Path):
    with pytest.raises(ValueError, match=r"data\.cache must be on or off, got 'maybe'"):
        datamodule(tmp_path, token_cache="maybe")


def test_validation_is_whole_and_in_order(tmp_path: Path):
    module = datamodule(tmp_path, flip=True)
    images = torch.cat([batch["images"] for batch in module.val_dataloader()])
    assert torch.equal(images, torch.from_numpy(splits().val.images))


def test_pictures_stay_home_where_nothing_reads_them(tmp_path: Path):
    assert set(next(iter(datamodule(tmp_path, with_images=False).train_dataloader()))) == {"tokens"}


def test_holes_are_fixed_and_differ_between_training_and_scores(tmp_path: Path):
    module = datamodule(tmp_path)
    fills = module.val_fills()
    assert torch.equal(module.train_holes(), datamodule(tmp_path / "other").train_holes())
    assert len(fills) == 4
    assert (fills.images[fills.holes] == 128).all()
    bank = {hole.numpy().tobytes() for hole in module.train_holes()}
    assert not bank & {hole.tobytes() for hole in fills.holes}
    assert not torch.equal(module.train_holes(), datamodule(tmp_path, seed=1).train_holes())


def test_a_batch_larger_than_the_set_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"data.batch_size \(25\) exceeds the training set \(24 images\)"):
        datamodule(tmp_path, batch_size=25)
