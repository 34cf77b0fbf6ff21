"""A run folder has one wandb run, whatever becomes of network and credentials. Offline files are read back."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskgit_lab.training import wandb_run
from maskgit_lab.training.wandb_run import log_evaluation, start
from tests.support.wandb_file import OfflineRun, read_offline_run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wandb")]


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_SILENT", "true")


def offline_runs(folder: Path) -> list[OfflineRun]:
    return [read_offline_run(path) for path in sorted((folder / "wandb").glob("offline-run-*"))]


def test_start_continues_the_run_of_its_folder(tmp_path: Path):
    for number in range(2):
        run = start(folder=tmp_path, project="p", name="n", group="g", tags=["t"], provenance={"commit": f"c{number}"})
        run.log({"val/loss": 2.0 - number, "trainer/global_step": number})
        run.finish()
    first, second = offline_runs(tmp_path)
    assert first.run_id == second.run_id
    assert (first.group, first.tags, first.exit_code) == ("g", ["t"], 0)
    assert first.values("val/loss") + second.values("val/loss") == [2.0, 1.0]
    assert second.config["provenance"] == {"commit": "c1"}


def test_start_lets_the_summary_keep_the_best_value_not_the_last(tmp_path: Path):
    start(folder=tmp_path, project="p", name="n").finish()
    (read,) = offline_runs(tmp_path)
    assert read.best == {
        "val/loss": "min", "val/mae_hole": "min", "val/psnr_hole": "max", "val/ssim_hole": "max", "val/token_accuracy": "max"
    }  # fmt: skip


def test_start_without_credentials_records_offline(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "maskgit_lab"):
        run = start(folder=tmp_path, project="p", name="n", offline=False)
    assert run.settings.mode == "offline"
    run.finish()
    assert "wandb cannot go online" in caplog.text


def test_start_without_network_records_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setattr(wandb_run, "GIVE_UP_SECONDS", 1.0)
    with caplog.at_level(logging.WARNING, "maskgit_lab"):
        run = start(folder=tmp_path, project="p", name="n", offline=False)
    assert run.settings.mode == "offline"
    run.finish()
    assert "wandb cannot go online" in caplog.text


def test_log_evaluation_goes_into_the_run_of_its_folder(tmp_path: Path):
    figure = tmp_path / "grid.png"
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(figure)
    columns, rows = ("fill", "schedule", "sweet_spot", "sd"), [("model", "cosine", 3, 0.1), ("grey fill", "", "", "")]

    def log_into(folder: Path) -> bool:
        return log_evaluation(
            folder, project="p", name="n", offline=True, columns=columns, rows=rows, images=[figure]
        )  # fmt: skip

    assert not log_into(tmp_path)  # no run there
    start(folder=tmp_path, project="p", name="n").finish()
    assert log_into(tmp_path)
    runs = offline_runs(tmp_path)
    assert runs[0].run_id == runs[1].run_id
    assert runs[1].values("evaluation/table/nrows") == [2]
    assert runs[1].values("evaluation/grid/width") == [8]
    assert list((tmp_path / "wandb").rglob("evaluation/table*.json"))


def test_start_names_text_that_the_locale_could_not_decode(tmp_path: Path):
    with pytest.raises(ValueError, match=r"wandb takes UTF-8 only.*logger=csv"):
        start(folder=tmp_path, project="p", name=b"\xc3".decode("ascii", "surrogateescape"))
    assert list(tmp_path.iterdir()) == []
