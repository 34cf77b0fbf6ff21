"""Own masks for training: holes that lie as they do in the files, drawn again the same, and never silently wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maskgit_lab.core.randomness import generator
from maskgit_lab.data.content import content_differences, content_of
from maskgit_lab.data.hole_draw import HoleDraw
from maskgit_lab.data.train_masks import load_train_masks, usual_shares
from tests.support.builders import boxes, datamodule, splits, write_pictures


def load(folder: Path, **changes: Any) -> np.ndarray:
    return load_train_masks(folder / "m", resolution=32, cache=folder / "cache", **changes)


def test_load_train_masks_reads_a_folder_or_one_file(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    masks = boxes(5)
    masks[3] = False
    paths = write_pictures(tmp_path / "m", masks)
    with caplog.at_level("INFO", logger="maskgit_lab"):
        np.testing.assert_array_equal(load(tmp_path), masks[[0, 1, 2, 4]])
    assert "1 of 5 masks have no hole and are left out: image_003.png" in caplog.text
    np.testing.assert_array_equal(load(tmp_path), masks[[0, 1, 2, 4]])  # from the cache
    np.testing.assert_array_equal(load_train_masks(paths[1], resolution=32, cache=tmp_path / "cache"), masks[[1]])


def test_load_train_masks_refuses_the_wrong_way_round_by_its_keys(tmp_path: Path):
    write_pictures(tmp_path / "m", ~boxes(3))
    for _ in range(2):  # what was refused is not taken from the cache
        with pytest.raises(
            ValueError, match=r"data.train_mask_hole=white.* use data.train_mask_hole=black.* data.max_hole_share=1"
        ):
            load(tmp_path)
    np.testing.assert_array_equal(load(tmp_path, hole="black"), boxes(3))
    assert load(tmp_path, max_share=1.0).mean() > 0.6


def test_load_train_masks_needs_a_hole(tmp_path: Path):
    write_pictures(tmp_path / "m", np.zeros((2, 32, 32), bool))
    with pytest.raises(ValueError, match=r"none of 2 masks in .* has a hole for data.train_mask_hole=white"):
        load(tmp_path)


def test_usual_shares_leave_the_odd_mask_out():
    holes = np.zeros((11, 10, 10), bool)
    for number, hole in enumerate(holes):
        hole.reshape(-1)[: 10 + number] = True
    holes[10] = True
    assert usual_shares(holes) == pytest.approx((0.11, 0.19))
    assert usual_shares(holes[:1]) == pytest.approx((0.1, 0.1))


def test_hole_draw_leaves_own_masks_as_they_lie():
    bank = torch.from_numpy(boxes(3))
    drawn = HoleDraw.of(3, 64, generator(0, "holes"), turned=False)
    assert torch.equal(drawn.holes(bank), bank[drawn.pick])
    assert set(drawn.pick.tolist()) == {0, 1, 2}


def test_datamodule_takes_own_masks_for_training_and_validation(tmp_path: Path):
    own = splits(train=24, val=8)
    masked = type(own)(own.train, own.val, own.test, own.description, train_holes=boxes(3))
    module = datamodule(tmp_path, data=masked, batch_size=4, num_val_fills=7)
    assert torch.equal(module.train_holes(), torch.from_numpy(boxes(3)))
    assert not module.turn_holes
    fills = module.val_fills()
    counts = [int((fills.holes == mask).all((1, 2)).sum()) for mask in boxes(3)]
    assert sorted(counts) == [2, 2, 3]
    again = datamodule(tmp_path, data=masked, batch_size=4, num_val_fills=7).val_fills()
    np.testing.assert_array_equal(again.holes, fills.holes)
    assert fills.fingerprint != datamodule(tmp_path, data=own, batch_size=4, num_val_fills=7).val_fills().fingerprint
    lines = content_differences(content_of(masked), content_of(own))
    assert lines == ["train_masks has 0 masks, recorded 3"]
