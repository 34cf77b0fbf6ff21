"""The best epoch is remembered wherever the run folder lies, and what is configured now counts."""

from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from maskgit_lab.training.callbacks.moved_state import MovedState
from maskgit_lab.training.quiet import quiet_lightning

LOSSES = (1.43, 3.78, 2.5, 1.2)  # of the epochs


class Line(L.LightningModule):
    """One weight; what it is validated with is LOSSES."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).square().mean()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val/loss", LOSSES[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(folder: Path, *, epochs: int, resume: bool = False, patience: int = 1) -> ModelCheckpoint:
    quiet_lightning()
    best = ModelCheckpoint(folder, filename="best", monitor="val/loss", enable_version_counter=False)
    last = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    trainer = L.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, callbacks=[MovedState(), EarlyStopping("val/loss", patience=patience), best, last],
    )  # fmt: skip
    data: torch.utils.data.DataLoader[torch.Tensor] = torch.utils.data.DataLoader([torch.ones(1)] * 2)  # type: ignore[arg-type]
    trainer.fit(Line(), data, data, ckpt_path=folder / "last.ckpt" if resume else None, weights_only=True)
    return best


def best_epoch(folder: Path) -> int:
    return int(torch.load(folder / "best.ckpt", weights_only=True)["epoch"])


@pytest.mark.parametrize("place", ["there", "here"])
def test_moved_state_keeps_the_best_epoch_when_a_worse_one_follows_in_another_folder(tmp_path: Path, place: str):
    fit(tmp_path / "here", epochs=1)
    (tmp_path / "here").rename(tmp_path / place)
    best = fit(tmp_path / place, epochs=3, resume=True, patience=5)
    assert best_epoch(tmp_path / place) == 0
    assert float(best.best_model_score or 0) == pytest.approx(1.43)
    fit(tmp_path / place, epochs=4, resume=True, patience=5)
    assert best_epoch(tmp_path / place) == 3
    assert sorted(path.name for path in (tmp_path / place).iterdir()) == ["best.ckpt", "last.ckpt"]


def test_moved_state_looks_for_a_best_epoch_anew_where_its_file_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    fit(tmp_path, epochs=1)
    (tmp_path / "best.ckpt").unlink()
    fit(tmp_path, epochs=2, resume=True, patience=5)
    assert best_epoch(tmp_path) == 1
    assert "best.ckpt is gone" in caplog.text


def test_moved_state_takes_the_patience_that_is_configured_now(tmp_path: Path):
    fit(tmp_path, epochs=4, patience=1)
    stopped = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert stopped["epoch"] == 1
    fit(tmp_path, epochs=4, resume=True, patience=4)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"] == 3
