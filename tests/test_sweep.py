"""Hydra's multirun: a run per value, each with its own dashboard, and a failure that does not pass as success."""

import json
from pathlib import Path

import pytest

from tests.commands import SMALL_RUN, run

pytestmark = pytest.mark.slow


def test_each_value_is_a_run_of_its_own_and_a_failure_is_an_exit_status(tmp_path: Path):
    quick = ["trainer.max_epochs=1", "callbacks.scores=null", "callbacks.samples=null", "name=schedules"]
    answer = run(
        "train", "-m", "mask_schedule=linear,square", *SMALL_RUN, *quick, cwd=tmp_path, home=tmp_path / "home"
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (sweep,) = (tmp_path / "runs" / "sweeps" / "schedules").iterdir()
    jobs = sorted(folder for folder in sweep.iterdir() if folder.is_dir())
    results = [json.loads((job / "result.json").read_text()) for job in jobs]
    assert [result["protocol"]["schedule"] for result in results] == ["Linear()", "Square()"]
    assert results[0]["tokenizer_sha256"] == results[1]["tokenizer_sha256"]
    dashboards = {path.name for job in jobs for path in (job / "wandb").glob("offline-run-*")}
    assert len(dashboards) == 2

    page = run("report", f"run={sweep}", cwd=tmp_path, home=tmp_path / "home")
    assert page.returncode == 0, page.stderr
    text = (sweep / "report.md").read_text()
    assert "2 runs, 2 completed" in text
    assert "| Linear | 1 |" in text

    failing = ["optimizer.decay=cosine,step"]
    answer = run("train", "-m", *failing, *SMALL_RUN, *quick, cwd=tmp_path, home=tmp_path / "home")
    assert answer.returncode == 1
    assert "optimizer.decay must be cosine or constant, got 'step'" in answer.stderr
    newest = max((tmp_path / "runs" / "sweeps" / "schedules").iterdir(), key=lambda folder: folder.name)
    states = [json.loads((job / "result.json").read_text())["status"] for job in sorted(newest.glob("[0-9]"))]
    assert states == ["completed", "failed"]
