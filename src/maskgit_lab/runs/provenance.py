"""Which code made a run, and where: versions, machine, commit, process."""

import os
import platform
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskgit_lab.machine.process_alive import process_alive

PACKAGES = ("maskgit-lab", "torch", "lightning", "torchmetrics", "hydra-core")
COMPARED = (*PACKAGES, "python", "commit")  # what may change the numbers of a run that goes on


def provenance() -> dict[str, str]:
    """Return versions, host and commit, as they go into result.json."""
    from importlib.metadata import version

    return {
        **{name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "processor": f"{platform.machine()}, {os.cpu_count()} cores",
        "commit": commit(),
    }


def process() -> dict[str, str | int]:
    """Return where this process runs, so that a reader of an unfinished result.json can tell whether it still does."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def alive(process: Mapping[str, Any]) -> bool:
    """Return whether a process that `process` described runs; one on another machine, or on Windows, is believed to."""
    if process.get("host") != socket.gethostname():
        return True
    if not process_alive(int(process["pid"])):
        return False
    # the system gives numbers of ended processes to new ones
    return process.get("started", 0) in (0, _started(int(process["pid"])))


def differences(recorded: Mapping[str, str]) -> list[str]:
    """Return what of versions and commit is not what a run recorded, a line each; nothing where nothing was recorded."""
    now = provenance()
    return [f"{name} {now[name]}, recorded {recorded[name]}" for name in COMPARED if recorded.get(name, now[name]) != now[name]]


def _started(pid: int) -> int:
    """Return when a process started, in the kernel's ticks since the machine did; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def commit() -> str:
    """Return the commit of the checkout the package runs from, "unknown" outside one; "+dirty" marks local changes."""
    here = Path(__file__).resolve().parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+dirty", "--abbrev=12", "--exclude=*"],
            cwd=here, capture_output=True, encoding="utf-8", check=True, timeout=10,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip()
