"""Checkpoints that are read back."""

from pathlib import Path

import pytest
import torch

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.tensor_file import save_tensors
from maskgit_lab.runs.checkpoint import read_checkpoint

CONTENT = {"state_dict": {"weight": torch.ones(3)}, "epoch": 1, "global_step": 4, "pytorch-lightning_version": "2"}


def test_read_checkpoint_says_which_other_one_is_whole(tmp_path: Path):
    for name in ("best", "last", "older"):
        save_tensors(CONTENT, tmp_path / f"{name}.ckpt")
    assert read_checkpoint(tmp_path / "best.ckpt")["epoch"] == 1
    (tmp_path / "last.ckpt").write_bytes(b"")
    (tmp_path / "older.ckpt").write_bytes(b"other")
    with pytest.raises(
        DamagedFileError, match=r"last.ckpt is empty. best.ckpt beside it is whole: use checkpoint=best, or restore"
    ):
        read_checkpoint(tmp_path / "last.ckpt")
    (tmp_path / "best.ckpt").write_bytes(b"")
    with pytest.raises(DamagedFileError, match=r"last.ckpt is empty. Restore it from a copy, or train anew"):
        read_checkpoint(tmp_path / "last.ckpt")


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1], torch.ones(2)], ids=["tokenizer", "list", "tensor"])
def test_read_checkpoint_refuses_tensors_of_other_kinds(content: object, tmp_path: Path):
    torch.save(content, tmp_path / "best.ckpt")
    with pytest.raises(DamagedFileError, match=r"best.ckpt is not a checkpoint of a training run"):
        read_checkpoint(tmp_path / "best.ckpt")
