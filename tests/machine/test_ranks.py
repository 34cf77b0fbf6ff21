"""Processes that start together: who they are, and the one folder they share."""

import subprocess
import sys
from pathlib import Path

import pytest

from maskgit_lab.machine.ranks import RANK_VARIABLES, process_rank, processes_to_start, shared_run_dir, wait_for
from maskgit_lab.runs.folder import RunFolder

pytestmark = pytest.mark.thorough

FRESH = "runs/default/2026-01-31_12-00-00"
ASK = """
import os, sys
from torch.distributed import TCPStore
store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2"}
from maskgit_lab.machine.ranks import shared_run_dir
for rank in ("0", "1"):
    os.environ["RANK"] = rank
    print(shared_run_dir(f"runs/time_of_{rank}"))
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch):
    for name in (*RANK_VARIABLES, "TORCHELASTIC_RUN_ID", "WORLD_SIZE", "SLURM_STEP_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)


def test_process_rank_of_a_process_alone_is_the_first_and_it_keeps_its_folder():
    assert process_rank() == 0
    assert shared_run_dir(FRESH) == FRESH


@pytest.mark.parametrize("name", RANK_VARIABLES)
def test_process_rank_is_read_from_whoever_started_the_process(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, "3")
    assert process_rank() == 3


@pytest.mark.parametrize(("devices", "expected"), [(1, 1), (2, 2), ("2", 2), ([0, 3], 2), ("auto", None), (-1, None), ("-1", None)])
def test_processes_to_start_are_those_that_will_share_the_cores(devices, expected, monkeypatch: pytest.MonkeyPatch):
    assert processes_to_start(devices) == expected
    monkeypatch.setenv("SLURM_PROCID", "0")  # all are there already, each with its own cores
    assert processes_to_start(devices) == 1


def test_shared_run_dir_of_slurm_tasks_is_named_after_the_job(monkeypatch: pytest.MonkeyPatch):
    for name, value in {"SLURM_JOB_ID": "123", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4"}.items():
        monkeypatch.setenv(name, value)
    assert shared_run_dir(FRESH) == "runs/default/slurm-123-0"
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    assert shared_run_dir(FRESH) == "runs/default/slurm-123-0-2"
    monkeypatch.setenv("SLURM_NTASKS", "1")
    assert shared_run_dir(FRESH) == FRESH


def test_shared_run_dir_of_torchrun_processes_is_that_of_the_first():
    answer = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True, timeout=100)
    assert answer.stdout.split() == ["runs/time_of_0"] * 2


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
