"""Sweeps: jobs that share a training, a table at the end, failures that do not pass as success, launchers and sweepers."""

import csv
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.commands import NO_FIGURES, SMALL_RUN, run, shared_cache, warm_children
from tests.support.wandb_file import OfflineRun, read_offline_run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sweep")]

QUICK = ("trainer.max_epochs=1", "callbacks.scores=null", "callbacks.samples=null")
BARE = (*QUICK, "logger=csv", "callbacks.fixed_train_loss=null")


@dataclass(frozen=True)
class Sweep:
    """What a sweep left."""

    cwd: Path
    answer: subprocess.CompletedProcess[str]
    folder: Path

    @property
    def jobs(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("[0-9]*") if path.is_dir())

    def results(self) -> list[dict[str, Any]]:
        return [json.loads((job / "result.json").read_text()) for job in self.jobs]


def swept(cwd: Path, name: str, *arguments: str) -> Sweep:
    flags = [word for word in arguments if word == "-m"]
    overrides = [word for word in arguments if word != "-m"]
    answer = run(
        "train", *flags, *SMALL_RUN, shared_cache(), *overrides, f"name={name}", cwd=cwd, home=cwd / "home",
        variables={**NO_FIGURES, **warm_children()},
    )  # fmt: skip
    folders = sorted((cwd / "runs" / "sweeps" / name).glob("*"))
    return Sweep(cwd, answer, folders[-1] if folders else cwd)


@pytest.fixture(scope="module")
def schedules(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Two schedules at two sweet spots, from an overlay without -m: four jobs, two trainings."""
    values = ["mask_schedule=linear,square", "decode.sweet_spot=3,7", "seed=0"]
    sweep = swept(tmp_path_factory.mktemp("sweep"), "schedules", "experiment=sweep_sweet_spot", *values, *QUICK)
    assert sweep.answer.returncode == 0, sweep.answer.stdout + sweep.answer.stderr
    return sweep


def test_sweep_makes_every_value_a_job_of_its_own(schedules: Sweep):
    protocols = [result["protocol"] for result in schedules.results()]
    assert [(p["schedule"], p["sweet_spot"]) for p in protocols] == [
        ("Linear()", 3), ("Linear()", 7), ("Square()", 3), ("Square()", 7)
    ]  # fmt: skip
    assert len({result["tokenizer_sha256"] for result in schedules.results()}) == 1
    assert "Job 3 of 4: mask_schedule=square decode.sweet_spot=3\n" in schedules.answer.stdout


def test_sweep_trains_once_what_differs_in_decoding_alone(schedules: Sweep):
    trained_by = [result.get("trained_by", {}).get("run") for result in schedules.results()]
    assert trained_by == [None, str(schedules.jobs[0]), None, str(schedules.jobs[2])]
    linear, square = [(schedules.jobs[i] / "checkpoints" / "best.ckpt").read_bytes() for i in (1, 3)]
    assert linear == (schedules.jobs[0] / "checkpoints" / "best.ckpt").read_bytes()
    assert linear != square
    assert "val/loss" in (schedules.jobs[3] / "metrics.csv").read_text()


def test_sweep_with_a_shared_training_gives_the_scores_of_a_run_alone(schedules: Sweep):
    alone = run(
        "train", "mask_schedule=square", "decode.sweet_spot=7", "tokenizer.seed=0", *SMALL_RUN, shared_cache(), *BARE, "name=alone",
        cwd=schedules.cwd, home=schedules.cwd / "home", variables=NO_FIGURES,
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr
    (folder,) = (schedules.cwd / "runs" / "alone").iterdir()
    result = json.loads((folder / "result.json").read_text())
    assert result["scores"] == schedules.results()[3]["scores"]
    assert "trained_by" not in result


def test_sweep_ends_with_its_table_and_collect_makes_it_again(schedules: Sweep):
    assert "4 of 4 jobs completed" in schedules.answer.stdout
    assert "2 jobs took over the training of another" in schedules.answer.stdout
    before = (schedules.folder / "table.csv").read_text()
    for name in ("table.csv", "table.md", "sweep.png"):
        (schedules.folder / name).unlink()
    again = run("collect", str(schedules.folder), cwd=schedules.cwd, home=schedules.cwd / "home")
    assert again.returncode == 0, again.stderr
    assert (schedules.folder / "table.csv").read_text() == before
    with (schedules.folder / "table.csv").open() as file:
        assert [row["decode.sweet_spot"] for row in csv.DictReader(file)] == ["3", "7", "3", "7"]
    assert np.asarray(Image.open(schedules.folder / "sweep.png").convert("L")).std() > 5


def test_report_of_a_sweep_lists_its_runs(schedules: Sweep):
    page = run("report", f"run={schedules.folder}", cwd=schedules.cwd, home=schedules.cwd / "home")
    assert page.returncode == 0, page.stderr
    text = (schedules.folder / "report.md").read_text()
    assert "4 runs, 4 completed" in text
    assert "| Linear | 3 | 1 |" in text


def dashboards(sweep: Sweep) -> list[OfflineRun]:
    return [read_offline_run(next((job / "wandb").glob("offline-run-*"))) for job in sweep.jobs]


def test_sweep_gives_every_job_a_dashboard_of_its_own_in_its_group(schedules: Sweep):
    runs = dashboards(schedules)
    assert len({r.run_id for r in runs}) == 4
    assert {r.group for r in runs} == {f"schedules-{schedules.folder.name}"}
    assert [r.config["decode"]["sweet_spot"] for r in runs] == [3, 7, 3, 7]
    assert [r.config["mask_schedule"]["_target_"].rsplit(".")[-1] for r in runs] == ["Linear"] * 2 + ["Square"] * 2
    assert all(r.tags == ["sweep", "sweet_spot"] and r.exit_code == 0 for r in runs)


def test_sweep_job_that_trained_nothing_shows_the_curves_it_took_over(schedules: Sweep):
    trainer, taker = dashboards(schedules)[:2]
    assert trainer.values("val/loss") == pytest.approx(taker.values("val/loss"))
    assert len(taker.values("val/loss")) == 1


def test_sweep_with_a_failing_job_stops_no_other_and_has_an_exit_status(tmp_path: Path):
    sweep = swept(tmp_path, "failing", "-m", "hydra/launcher=joblib", "optimizer.decay=step,cosine", *BARE)
    assert sweep.answer.returncode == 1
    assert "optimizer.decay must be cosine or constant, got 'step'" in sweep.answer.stderr
    assert [result["status"] for result in sweep.results()] == ["failed", "completed"]
    assert "Traceback" in (sweep.jobs[0] / "train.log").read_text()
    assert "1 of 2 jobs completed" in sweep.answer.stdout
    assert "job 0 failed: ValueError: optimizer.decay must be" in sweep.answer.stdout


def test_sweep_runs_jobs_through_submitit(tmp_path: Path):
    sweep = swept(
        tmp_path, "submitted", "-m", "hydra/launcher=submitit_local", "seed=0,1", "tokenizer.seed=0", *BARE,
        "hydra.launcher.timeout_min=5",
    )  # fmt: skip
    assert sweep.answer.returncode == 0, sweep.answer.stdout + sweep.answer.stderr
    assert [result["status"] for result in sweep.results()] == ["completed", "completed"]
    assert "2 of 2 jobs completed" in sweep.answer.stdout


def test_sweep_with_optuna_optimises_the_monitored_metric(tmp_path: Path):
    sweep = swept(
        tmp_path, "optimised", "-m", "hydra/sweeper=optuna", "optimizer.lr=interval(1e-4,1e-2)", "tokenizer.seed=0",
        *BARE, "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1", "hydra.sweeper.sampler.seed=0",
    )  # fmt: skip
    assert sweep.answer.returncode == 0, sweep.answer.stdout + sweep.answer.stderr
    losses = [result["monitor"]["best"] for result in sweep.results()]
    best = (sweep.folder / "optimization_results.yaml").read_text()
    assert len(losses) == 2
    assert f"best_value: {min(losses)}"[:18] in best
