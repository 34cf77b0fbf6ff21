"""Processes that start together: who they are, and the one folder they share."""

from pathlib import Path

import pytest

from maskgit_lab.machine.ranks import (
    RANK_VARIABLES,
    WORD,
    named_by_job,
    process_rank,
    processes_to_start,
    tell_others,
    told_by_first,
    wait_for,
)
from maskgit_lab.runs.folder import RunFolder
from tests.support.commands import run_code

pytestmark = pytest.mark.thorough

FRESH = Path("runs/default/2026-01-31_12-00-00")
ASK = """
import os, sys
from torch.distributed import TCPStore
store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2"}
from maskgit_lab.machine.ranks import tell_others, told_by_first
tell_others("runs/time_of_0")
del os.environ["MASKGIT_LAB_FIRST_PROCESS_SAYS"]  # another process of torchrun has it from the store alone
print(told_by_first())
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch):
    for name in (*RANK_VARIABLES, WORD, "TORCHELASTIC_RUN_ID", "WORLD_SIZE", "SLURM_STEP_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)


def test_process_rank_of_a_process_alone_is_the_first_and_it_keeps_its_folder():
    assert process_rank() == 0
    assert named_by_job(FRESH) == FRESH
    assert told_by_first() is None


def test_told_by_first_reads_what_the_first_process_told_those_it_starts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(WORD, "")  # given back afterwards
    tell_others("runs/first")
    assert told_by_first() == "runs/first"


@pytest.mark.parametrize("name", RANK_VARIABLES)
def test_process_rank_is_read_from_whoever_started_the_process(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, "3")
    assert process_rank() == 3


@pytest.mark.parametrize(("devices", "expected"), [(1, 1), (2, 2), ("2", 2), ([0, 3], 2), ("auto", None), (-1, None), ("-1", None)])
def test_processes_to_start_are_those_that_will_share_the_cores(devices, expected, monkeypatch: pytest.MonkeyPatch):
    assert processes_to_start(devices) == expected
    monkeypatch.setenv("SLURM_PROCID", "0")  # all are there already, each with its own cores
    assert processes_to_start(devices) == 1


def test_named_by_job_of_slurm_tasks_is_named_after_the_job(monkeypatch: pytest.MonkeyPatch):
    for name, value in {"SLURM_JOB_ID": "123", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4"}.items():
        monkeypatch.setenv(name, value)
    assert named_by_job(FRESH) == Path("runs/default/slurm-123-0")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    assert named_by_job(FRESH) == Path("runs/default/slurm-123-0-2")
    monkeypatch.setenv("SLURM_NTASKS", "1")
    assert named_by_job(FRESH) == FRESH


def test_told_by_first_of_torchrun_processes_comes_from_the_store(tmp_path: Path):
    assert run_code(ASK, tmp_path).split() == ["runs/time_of_0"]


def test_wait_for_ends_when_the_file_is_there(tmp_path: Path):
    (tmp_path / "tokenizer.pt").touch()
    assert wait_for(tmp_path / "tokenizer.pt") == tmp_path / "tokenizer.pt"


def test_record_failure_keeps_the_first_failure(tmp_path: Path):
    folder = RunFolder(tmp_path)
    folder.write_result({"status": "running", "name": "pair"})
    assert folder.record_failure(RuntimeError("the cause"))
    assert not folder.record_failure(RuntimeError("what follows from it"))
    result = folder.read_result()
    assert (result["name"], result["status"], result["error"]) == ("pair", "failed", "RuntimeError: the cause")
