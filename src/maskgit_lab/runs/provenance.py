"""Which code made a run, and where: versions, machine, commit, process."""

import os
import platform
import socket
import subprocess
from pathlib import Path


def provenance() -> dict[str, str]:
    """Return versions, host and commit, as they go into result.json."""
    from importlib.metadata import version

    packages = ("maskgit-lab", "torch", "lightning", "torchmetrics", "hydra-core")
    return {
        **{name: version(name) for name in packages},
        "python": platform.python_version(),
        "processor": f"{platform.machine()}, {os.cpu_count()} cores",
        "commit": commit(),
    }


def process() -> dict[str, str | int]:
    """Return where this process runs, so that a reader of an unfinished result.json can tell whether it still does."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


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
