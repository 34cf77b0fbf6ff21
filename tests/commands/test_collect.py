"""The table of a sweep from whatever its jobs have left so far."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from maskgit_lab.commands.collect import collect_sweep
from maskgit_lab.commands.sweep import num_jobs, swept_values

HERE = socket.gethostname()


def job(sweep: Path, number: int, *, schedule: str = "Cosine", seed: int = 0, **result: Any) -> None:
    folder = sweep / str(number)
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"seed: {seed}\nmask_schedule:\n  _target_: maskgit_lab.core.schedules.{schedule}\n")
    if result:
        (folder / "result.json").write_text(json.dumps(result))


def completed(fid: float) -> dict[str, Any]:
    rows = [{"fill": "model, composited", "fid": fid, "psnr_hole": 20.0}]
    return {"status": "completed", "monitor": {"name": "val/loss", "best": 1.0}, "scores": rows}


def multirun(
    sweep: Path, *overrides: str, params: str = "{}", sweeper: str = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
):
    listed = "".join(f"\n    - {override}" for override in overrides)
    (sweep / "multirun.yaml").write_text(
        f"hydra:\n  sweeper:\n    _target_: {sweeper}\n    params: {params}\n  overrides:\n    task:{listed or ' []'}\n"
    )


def test_collect_sweep_gives_mean_and_spread_over_seeds_and_an_image(tmp_path: Path):
    for number, (schedule, seed, fid) in enumerate([("Cosine", 0, 10.0), ("Cosine", 1, 12.0), ("Linear", 0, 20.0)]):
        job(tmp_path, number, schedule=schedule, seed=seed, **completed(fid))
    text = collect_sweep(tmp_path).text
    assert "11.0 ± 1.4" in text
    assert "3 of 3 jobs completed" in text
    assert (tmp_path / "sweep.png").stat().st_size > 1000
    assert (tmp_path / "table.csv").read_text().startswith("mask_schedule,n,val/loss,fid,psnr_hole,not completed")


def test_collect_sweep_lists_jobs_that_failed_died_or_run_as_such(tmp_path: Path):
    job(tmp_path, 0, **completed(10.0))
    job(tmp_path, 1, status="failed", error="ValueError: no", traceback="Traceback")
    job(tmp_path, 2, status="running", process={"host": HERE, "pid": os.getpid()})
    job(tmp_path, 3, status="running", process={"host": HERE, "pid": 2**22 + 1})  # above every process id
    job(tmp_path, 4, status="running", process={"host": "elsewhere", "pid": 1})
    job(tmp_path, 5)
    multirun(tmp_path, "seed=range(0,8)")
    lines = collect_sweep(tmp_path).text.splitlines()
    assert "1 of 8 jobs completed; 2 not started" in lines
    assert "job 1 failed: ValueError: no" in lines
    assert "job 2 running" in lines
    assert "job 3 stopped without a word" in lines
    assert "job 4 running" in lines
    assert "job 5 missing" in lines
    assert "job 3 stopped without a word" in (tmp_path / "table.md").read_text()


def test_collect_sweep_says_when_there_is_nothing_to_collect(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="is not a sweep"):
        collect_sweep(tmp_path)


def test_swept_values_that_are_typed_replace_those_of_an_overlay(tmp_path: Path):
    params = "{mask_schedule: 'linear,cosine,square', seed: '0,1'}"
    multirun(tmp_path, "mask_schedule=linear,square", "name=x", "decode.sweet_spot=3,5,7", params=params)
    assert swept_values(tmp_path) == {"mask_schedule": 2, "seed": 2, "name": 1, "decode.sweet_spot": 3}
    assert num_jobs(tmp_path) == 12


def test_num_jobs_is_none_for_a_sweeper_that_decides_as_it_goes(tmp_path: Path):
    multirun(tmp_path, "seed=0,1", sweeper="hydra_plugins.optuna.OptunaSweeper")
    assert num_jobs(tmp_path) is None
    assert num_jobs(tmp_path / "nowhere") is None


@pytest.mark.parametrize("name", ["config.yaml", "result.json"])
@pytest.mark.parametrize("content", ["", '{"status', "[1"])
def test_collect_sweep_names_the_damaged_file_of_a_job_and_shows_the_others(name: str, content: str, tmp_path: Path):
    for number in range(3):
        job(tmp_path, number, seed=number, **completed(10.0 + number))
    (tmp_path / "1" / name).write_text(content)
    text = collect_sweep(tmp_path).text
    assert f"job 1 damaged: {tmp_path / '1' / name} is " in text
    assert "2 of 3 jobs completed" in text
    assert "11.0 ± 1.4" in text
