"""metrics.csv is whole at every moment: whoever kills the process, the rows of before are there."""

from pathlib import Path

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from maskgit_lab.runs.metrics_file import read_rows
from maskgit_lab.training.loggers import KeptRows, csv_logger


def written(path: Path) -> None:
    logger = csv_logger(path)
    for step in (4, 9, 14):
        logger.log_metrics({"epoch": step // 5, "val/loss": 3.0 - step / 10}, step=step)
    logger.save()


def test_csv_logger_keeps_the_rows_before_the_checkpoint_in_the_file_from_its_first_moment(tmp_path: Path):
    path = tmp_path / "metrics.csv"
    written(path)
    with path.open("a") as file:
        file.write("2,19,0.")  # killed
    before = read_rows(path)
    logger = csv_logger(path, resumed_step=10)
    assert read_rows(path) == before[:2]  # nothing was logged or saved yet
    logger.log_metrics({"epoch": 2, "val/loss": 1.0, "val/psnr_hole": 20.0}, step=14)
    logger.save()
    rows = read_rows(path)
    assert [row["step"] for row in rows] == ["4", "9", "14"]
    assert [row["val/psnr_hole"] for row in rows] == ["", "", "20.0"]
    assert [row["val/loss"] for row in rows] == ["2.6", "2.1", "1.0"]


def test_csv_logger_writes_its_rows_with_every_checkpoint(tmp_path: Path):
    logger = csv_logger(tmp_path / "metrics.csv")
    logger.log_metrics({"val/loss": 1.0}, step=4)
    logger.after_save_checkpoint(ModelCheckpoint())
    assert [row["val/loss"] for row in read_rows(tmp_path / "metrics.csv")] == ["1.0"]


def test_csv_logger_begins_a_new_file_where_a_run_begins(tmp_path: Path):
    written(tmp_path / "metrics.csv")
    csv_logger(tmp_path / "metrics.csv")
    assert not (tmp_path / "metrics.csv").exists()


def test_csv_logger_of_another_process_touches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written(tmp_path / "metrics.csv")
    before = (tmp_path / "metrics.csv").read_bytes()
    monkeypatch.setenv("RANK", "1")
    csv_logger(tmp_path / "metrics.csv", resumed_step=10)
    assert (tmp_path / "metrics.csv").read_bytes() == before


def test_kept_rows_loses_nothing_when_it_is_stopped_while_a_column_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "metrics.csv"
    written(path)
    before = path.read_bytes()
    monkeypatch.setattr("csv.DictWriter.writerows", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        KeptRows(tmp_path, read_rows(path))
    assert path.read_bytes() == before
