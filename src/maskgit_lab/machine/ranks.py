"""Several processes of one run: which one this is, and the run folder they share.

Lightning starts the other processes itself, and hands them the run folder; torchrun and srun start all of them at once.
"""

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# as Lightning reads them: torchrun, Lightning's own launcher, srun
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
WORD = "MASKGIT_LAB_FIRST_PROCESS_SAYS"  # environment variable, inherited by the processes that Lightning starts
POLL = 0.5  # seconds between two looks for a file


def process_rank() -> int:
    """Return the rank of this process, 0 when it is the only one."""
    return next((int(os.environ[name]) for name in RANK_VARIABLES if name in os.environ), 0)


def processes_to_start(devices: Any) -> int | None:
    """Count the processes, at least 1, that will share this one's cores once Lightning has started them; None = not known yet.

    `devices` is `trainer.devices` as Lightning reads it: 2, "2", [0, 1]; only Lightning knows what "auto" and -1 are.
    """
    if any(name in os.environ for name in RANK_VARIABLES):
        return 1  # all were started already, and their launcher gave each its cores
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        return len(devices)
    return int(devices) if str(devices).isdigit() and int(devices) > 0 else None


def named_by_job(fresh: Path) -> Path:
    """Return the run folder that tasks which srun started together agree on without a word: `fresh`, named after job and step.

    `fresh` holds the time, which differs between them; a single process keeps it.
    """
    if not started_by_srun():
        return fresh
    parts = [os.environ[name] for name in ("SLURM_JOB_ID", "SLURM_STEP_ID")]
    restarts = os.environ.get("SLURM_RESTART_COUNT", "0")  # a requeued job keeps its id
    return fresh.with_name("-".join(["slurm", *parts, *([restarts] if restarts != "0" else [])]))


def started_by_srun() -> bool:
    """Return whether srun started several tasks, which have nothing to tell each other with."""
    return "SLURM_STEP_ID" in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1


def tell_others(word: str) -> None:
    """Tell the other processes of this run something: those of torchrun, and those that Lightning will start."""
    os.environ[WORD] = word
    if _started_by_torchrun():
        _store().set(_store_key(), word)


def told_by_first() -> str | None:
    """Return what the first process told this one, None where it has no way to; torchrun's wait until it has."""
    if _started_by_torchrun():
        return _store().get(_store_key()).decode()
    return os.environ.get(WORD)


def _started_by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def _store() -> Any:
    from torch.distributed import TCPStore

    return TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)


def _store_key() -> str:
    return f"maskgit_lab/run_dir/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"


def quiet() -> None:
    """Let this process log only warnings: the first one logs for all."""
    logging.getLogger().setLevel(logging.WARNING)


def wait_for(path: Path) -> Path:
    """Wait until another process has made a file; their launcher ends this process if the other fails."""
    while not path.is_file():
        time.sleep(POLL)
    return path
