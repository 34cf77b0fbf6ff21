"""Checkpoints on their way to the disk and back."""

import errno
from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.whole_file import CannotWriteError
from maskgit_lab.training import checkpoint_files
from maskgit_lab.training.callbacks.interruption import StopBetweenBatches
from maskgit_lab.training.checkpoint_files import WholeCheckpoints
from maskgit_lab.training.quiet import quiet_lightning


def fit(folder: Path, *, steps: int, ckpt: Path | None = None) -> L.Trainer:
    quiet_lightning()
    torch.manual_seed(0)
    last = ModelCheckpoint(
        dirpath=folder, filename="last", every_n_train_steps=1, save_on_exception=True, enable_version_counter=False
    )
    trainer = L.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        plugins=[WholeCheckpoints()], callbacks=[StopBetweenBatches(), last], limit_val_batches=0, default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(BoringModel(), ckpt_path=ckpt, weights_only=True)
    return trainer


def test_whole_checkpoints_are_what_a_trainer_goes_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))  # nothing goes through a temporary folder
    fit(tmp_path, steps=2)
    path = tmp_path / "last.ckpt"
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]
    assert torch.load(path, weights_only=True)["global_step"] == 2
    assert fit(tmp_path, steps=3, ckpt=path).global_step == 3
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedFileError, match=r"last\.ckpt"):
        fit(tmp_path, steps=4, ckpt=path)


def test_whole_checkpoints_on_a_full_disk_end_training_once_and_keep_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fit(tmp_path, steps=2)
    path, tries = tmp_path / "last.ckpt", []
    before = path.read_bytes()

    def full(content: object, path: Path) -> None:
        tries.append(path)
        raise CannotWriteError(errno.ENOSPC, "full")

    monkeypatch.setattr(checkpoint_files, "save_tensors", full)
    with pytest.raises(CannotWriteError):
        fit(tmp_path, steps=4, ckpt=path)
    assert len(tries) == 1
    assert path.read_bytes() == before
