"""A run folder while a command works on it: nothing of an earlier end is lost before there is a better one."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from maskgit_lab.assembly.read import load_config
from maskgit_lab.commands.run_record import RunRecord
from maskgit_lab.runs.folder import RunFolder

RUN = Path(__file__).parents[1] / "fixtures" / "run"


def going_on(root: Path, *, new: bool = False) -> tuple[RunFolder, RunRecord]:
    """Return a copy of a finished run, and the record of a command that goes on with it, or begins one in its place."""
    shutil.copytree(RUN, root)
    config = load_config(root)
    config.decode["num_steps"] = 5
    return RunFolder(root), RunRecord(dataclasses.replace(config, resume=None if new else str(root)), RunFolder(root))


def files(folder: RunFolder) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("error", [ValueError("a mistake"), RuntimeError("out of memory"), KeyboardInterrupt()])
def test_run_record_touches_nothing_before_it_begins(tmp_path: Path, error: BaseException):
    folder, record = going_on(tmp_path / "run")
    before = files(folder)
    record.end("failed", error)
    assert files(folder) == before


def test_run_record_keeps_the_scores_while_the_run_goes_on_and_says_of_which_epochs_they_are(tmp_path: Path):
    folder, record = going_on(tmp_path / "run")
    earlier = folder.read_result()
    record.begin()
    result = folder.read_result()
    assert (result["status"], result["scores"], result["scored_epochs"]) == ("running", earlier["scores"], 2)
    assert result["resumed"] == [{key: earlier[key] for key in ("status", "epochs", "provenance")}]
    assert load_config(folder.root).decode["num_steps"] == 5


def test_run_record_of_a_run_that_failed_after_it_trained_has_the_scores_of_before_and_the_error(tmp_path: Path):
    folder, record = going_on(tmp_path / "run")
    record.begin()
    (folder.checkpoints / "last.ckpt").write_bytes(b"better")
    record.end("failed", RuntimeError("out of memory"))
    result = folder.read_result()
    assert (result["status"], result["error"], result["scored_epochs"]) == ("failed", "RuntimeError: out of memory", 2)
    assert len(result["scores"]) > 3
    assert load_config(folder.root).decode["num_steps"] == 5  # what it was trained on with
    again = RunRecord(dataclasses.replace(load_config(folder.root), resume=str(folder.root)), folder)
    assert "error" not in again.result
    assert [end["status"] for end in again.result["resumed"]] == ["completed", "failed"]


def test_run_record_puts_configuration_and_curves_back_when_nothing_was_trained(tmp_path: Path):
    folder, record = going_on(tmp_path / "run")
    before = files(folder)
    record.begin()
    folder.metrics.unlink()
    record.end("failed", RuntimeError("out of memory"))
    changed = {path for path, content in files(folder).items() if content != before[path]}
    assert changed == {folder.result}
    assert folder.read_result()["status"] == "failed"


def test_run_record_puts_everything_back_after_a_mistake(tmp_path: Path):
    folder, record = going_on(tmp_path / "run")
    before = files(folder)
    record.begin()
    folder.metrics.unlink()
    record.end("failed", ValueError("a mistake that was found late"))
    assert files(folder) == before


def test_run_record_of_a_new_run_says_at_once_that_it_runs_and_why_it_failed(tmp_path: Path):
    folder, record = going_on(tmp_path / "run", new=True)
    assert (folder.read_result()["status"], "scores" in folder.read_result()) == ("running", False)
    record.end("failed", ValueError("a mistake"))
    assert (folder.read_result()["status"], folder.read_result()["error"]) == ("failed", "ValueError: a mistake")
