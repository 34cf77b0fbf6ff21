"""The notebooks' example is the newest completed run, or one made on the spot by the command itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maskgit_lab.runs import examples
from maskgit_lab.runs.examples import example_run, example_sweep
from tests.support.commands import NO_FIGURES, SMALL_RUN, environment, run, shared_cache


def finished(folder: Path, *, age: int, status: str = "completed") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("")
    result = folder / "result.json"
    result.write_text(json.dumps({"status": status}))
    os.utime(result, (10_000 - age, 10_000 - age))
    return folder


def test_example_run_is_the_newest_completed_run(tmp_path: Path):
    finished(tmp_path / "cosine" / "old", age=2)
    newest = finished(tmp_path / "linear" / "new", age=1)
    finished(tmp_path / "linear" / "stopped", age=0, status="failed")
    finished(tmp_path / "sweeps" / "spots" / "a" / "0", age=0)
    assert example_run(tmp_path) == newest


def test_example_sweep_is_the_newest_sweep(tmp_path: Path):
    finished(tmp_path / "cosine" / "a", age=0)
    job = finished(tmp_path / "sweeps" / "spots" / "a" / "0", age=1)
    assert example_sweep(tmp_path) == job.parent


@pytest.mark.slow
def test_example_run_and_example_sweep_make_one_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    runs = tmp_path / "runs"

    def run_warm(typed: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert typed[:3] == [sys.executable, "-m", "maskgit_lab.train"]
        return run("train", *typed[3:], cwd=tmp_path, home=tmp_path / "home", variables=NO_FIGURES)

    # its own interpreter starts in the test below; two more would wait for their imports
    monkeypatch.setattr("maskgit_lab.runs.examples.subprocess.run", run_warm)
    # one schedule of the two: tests/commands/test_sweep.py has both
    two = [word.replace("mask_schedule=linear,cosine", "mask_schedule=linear") for word in examples.SWEEP]
    assert tuple(two) != examples.SWEEP
    monkeypatch.setattr("maskgit_lab.runs.examples.SWEEP", tuple(two))
    for make in (example_run, example_sweep):
        made = make(runs, overrides=[*SMALL_RUN, "trainer.max_epochs=1", shared_cache()])
        assert made.is_relative_to(runs)
        assert make(runs, overrides=["no.such.key=1"]) == made  # the second call finds it and makes nothing


def test_example_run_that_fails_says_what_the_command_printed(tmp_path: Path):
    with pytest.raises(RuntimeError, match="no_such_key"):
        example_run(tmp_path, overrides=["no_such_key=1"])
