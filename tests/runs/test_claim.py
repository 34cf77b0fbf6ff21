"""A run folder belongs to one run: made exclusively, numbered where the name is taken, never taken from a run."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from maskgit_lab.runs.claim import hold, make_new, remove_unused, require_idle, take
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.provenance import process

DEAD = {"host": process()["host"], "pid": 2**22 + 1, "started": 0}  # no Linux gives such a number


def folder_with(root: Path, *, checkpoint: bool = False, **result: object) -> RunFolder:
    folder = RunFolder(root)
    folder.write_result(result)
    if checkpoint:
        folder.checkpoints.mkdir()
        (folder.checkpoints / "last.ckpt").touch()
    return folder


def test_make_new_gives_everyone_who_asks_at_once_a_folder_of_their_own(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make_new, [tmp_path / "runs" / "2026-01-31_12-00-00"] * 8))
    assert len(set(made)) == 8
    assert {path.name for path in made} >= {"2026-01-31_12-00-00", "2026-01-31_12-00-00_2", "2026-01-31_12-00-00_8"}


def test_take_gives_a_named_folder_to_one_of_those_who_ask_at_once(tmp_path: Path):
    def ask(_: int) -> bool:
        try:
            take(RunFolder(tmp_path / "run"))
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
    assert RunFolder(tmp_path / "run").read_result()["status"] == "running"


@pytest.mark.parametrize(
    ("result", "checkpoint"),
    [
        ({"status": "completed"}, False),
        ({"status": "failed"}, True),
        ({"status": "interrupted", "scores": []}, False),
        ({"status": "running", "process": process()}, False),
        ({"status": "running", "process": DEAD}, True),
        ({"status": "running", "process": {"host": "elsewhere", "pid": 1}}, False),
    ],
)
def test_take_refuses_a_folder_that_holds_a_run_and_leaves_it(tmp_path: Path, result: dict, checkpoint: bool):
    folder = folder_with(tmp_path, checkpoint=checkpoint, **result)
    before = folder.result.read_bytes()
    with pytest.raises(ValueError, match=r"hydra.run.dir: .* holds a run .*resume="):
        take(folder)
    assert folder.result.read_bytes() == before


def test_take_refuses_checkpoints_without_a_result_and_a_damaged_result(tmp_path: Path):
    folder = folder_with(tmp_path, checkpoint=True)
    folder.result.write_text('{"status": "comp')
    with pytest.raises(ValueError, match="damaged"):
        take(folder)
    folder.result.unlink()
    with pytest.raises(ValueError, match="its checkpoints are there"):
        take(folder)


@pytest.mark.parametrize("status", ["running", "failed", "interrupted"])
def test_take_begins_again_what_ended_before_its_first_checkpoint(tmp_path: Path, status: str):
    assert take(folder_with(tmp_path, status=status, process=DEAD))
    assert RunFolder(tmp_path).read_result() == {"status": "running", "process": process()}


def test_require_idle_refuses_a_run_that_a_process_of_this_machine_works_on(tmp_path: Path):
    with pytest.raises(ValueError, match=f"goes on already, in process {process()['pid']} on"):
        require_idle(folder_with(tmp_path, status="running", process=process()))
    require_idle(folder_with(tmp_path, status="running", process=DEAD))
    require_idle(folder_with(tmp_path, status="completed", process=process()))
    # a new process has got the number of the one that ended
    require_idle(folder_with(tmp_path, status="running", process=process() | {"started": 1}))


def test_hold_lets_one_process_in_until_it_ends(tmp_path: Path):
    code = f"""
from pathlib import Path; from maskgit_lab.runs.claim import hold; from maskgit_lab.runs.folder import RunFolder
hold(RunFolder(Path({str(tmp_path)!r}))); print("held", flush=True); input()"""
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    for _ in range(2):
        with pytest.raises(ValueError, match="another process works on this run"):
            hold(RunFolder(tmp_path))
    other.kill()
    other.communicate()
    hold(RunFolder(tmp_path))
    hold(RunFolder(tmp_path))  # it is this process's
    assert list(tmp_path.iterdir()) == []


def test_remove_unused_removes_notes_and_nothing_that_was_begun(tmp_path: Path):
    for name in (".hydra/config.yaml", "train.log", "result.json"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).touch()
    (tmp_path / "run" / "stage_1").mkdir()
    (tmp_path / "run" / "stage_1" / "metrics.csv").touch()
    remove_unused(tmp_path / "run")
    assert (tmp_path / "run" / "train.log").is_file()
    (tmp_path / "run" / "stage_1" / "metrics.csv").unlink()
    remove_unused(tmp_path / "run")
    assert not (tmp_path / "run").exists()
