"""A run folder belongs to one run: it is made by nobody else, numbered where its name is taken, and never taken from a run."""

import itertools
import json
import logging
import os
from pathlib import Path
from typing import Any

from maskgit_lab.machine.file_lock import OPEN_FILES_ARE_FREE, lock
from maskgit_lab.machine.process_alive import CAN_ASK
from maskgit_lab.runs.folder import RunFolder, shown_path
from maskgit_lab.runs.provenance import alive, process

log = logging.getLogger("maskgit_lab")

_held: dict[Path, int] = {}  # open folders that this process has locked; the system unlocks them when it ends, however it does


def hold(folder: RunFolder) -> None:
    """Lock a run folder for this process, which leaves no file; ValueError when another process on this machine holds it.

    Windows, and file systems without locks, let everyone pass.
    """
    root = folder.root.resolve()
    if root in _held:
        return
    if not OPEN_FILES_ARE_FREE:
        log.warning(
            f"{shown_path(folder.root)}: not locked, this system has no locks for folders; let one process at a time use it"
        )
        return
    opened = os.open(root, os.O_RDONLY)
    try:
        lock(opened)
    except BlockingIOError:
        os.close(opened)
        raise ValueError(f"{shown_path(folder.root)}: another process works on this run; wait for it or stop it") from None
    except OSError:
        pass
    _held[root] = opened


def make_new(path: Path) -> Path:
    """Make a folder that was not there and return it; where the name is taken, NAME_2, NAME_3 and so on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        candidate = path if number == 1 else path.with_name(f"{path.name}_{number}")
        try:
            candidate.mkdir()
        except FileExistsError:
            continue
        return candidate
    raise AssertionError  # count does not end


def take(folder: RunFolder) -> bool:
    """Take a folder that someone named for a new run, and note in its result.json that the run begins.

    Args:
        folder: it may be there already; what was killed before its first checkpoint left nothing that could be lost.

    Returns:
        Whether such an unfinished start is begun again.

    Raises:
        ValueError: when it holds a run, or another process has just begun one in it.
    """
    folder.root.mkdir(parents=True, exist_ok=True)
    hold(folder)
    beginning = {"status": "running", "process": process()}
    if any(folder.checkpoints.glob("*.ckpt")) and not folder.result.exists():
        raise ValueError(_taken(folder, "its checkpoints are there"))
    try:
        with folder.result.open("x", encoding="utf-8") as file:  # of two processes, one
            file.write(json.dumps(beginning) + "\n")
    except FileExistsError:
        held = what_it_holds(folder)
        if held:
            raise ValueError(_taken(folder, held)) from None
        folder.write_result(beginning)
        return True
    return False


def what_it_holds(folder: RunFolder) -> str:
    """Return what would be lost if a new run began in a folder that has a result.json, "" for nothing."""
    try:
        result = folder.read_result()
    except ValueError:
        return "its result.json is damaged"
    status = str(result.get("status", "without a status"))
    if status == "running" and alive(result.get("process", {})):
        return f"a process works on it: {place_of(result)}"
    kept = any(folder.checkpoints.glob("*.ckpt"))
    return status if kept or status == "completed" or "scores" in result else ""


def require_idle(folder: RunFolder) -> None:
    """Raise ValueError when a process on this machine works on the run: two that go on with one run would destroy it."""
    result = folder.read_result() if folder.result.is_file() else {}
    at_work = result.get("process", {})
    if result.get("status") == "running" and at_work.get("host") == process()["host"] and alive(at_work):
        unsure = "" if CAN_ASK else ". This system does not tell whether that process still runs: where it does not, force=true"
        raise ValueError(
            f"{shown_path(folder.root)}: the run goes on already, in {place_of(result)}; wait for it or stop it (resume=){unsure}"
        )


def place_of(result: dict[str, Any]) -> str:
    """Return where the process of a run is, for people."""
    at_work = result.get("process", {})
    return f"process {at_work.get('pid', '?')} on {at_work.get('host', '?')}"


def remove_unused(folder: Path) -> None:
    """Remove a folder in which nothing was begun: it holds Hydra's notes, a log and the claim of `take`, and nothing else.

    On Windows it stays: its log is open.
    """
    if not OPEN_FILES_ARE_FREE:
        return
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    notes = ("result.json", "multirun.yaml")
    if all(path.suffix == ".log" or path.name in notes or ".hydra" in path.relative_to(folder).parts for path in files):
        for path in files:
            path.unlink()
        for path in sorted((path for path in folder.rglob("*")), reverse=True):
            path.rmdir()
        folder.rmdir()


def _taken(folder: RunFolder, held: str) -> str:
    shown = shown_path(folder.root)
    return f"hydra.run.dir: {shown} holds a run ({held}): resume={shown} goes on with it; a new run needs another folder"
