"""No room, or no permission: one message, old files whole, and when there is room the run goes on to the same end."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from maskgit_lab.runs.folder import RunFolder
from tests.faults.bench import TINY_RUN, Bench, require, require_one_line, require_same_run
from tests.faults.fault import Fault, NotHereError
from tests.faults.kills import nothing_is_torn

ROOM = 64 * 1024  # KiB, more than anything here needs
SMALL_RESULT = 16 * 1024  # bytes in which a result.json fits


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """Mount a file system of so many KiB, which needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a mounted file system: its size, or whether it can be written."""
    _mount("-o", f"remount,{options}", str(folder))


def _mount(*arguments: str) -> None:
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise NotHereError(f"no small file system can be mounted: {getattr(error, 'stderr', error)}".strip()) from error


def _run_folder(read_only: bool, bench: Bench, rng: random.Random) -> None:
    """Fill the disk of the run folder at any point, or make it read-only between two runs; make room, and go on."""
    whole, cwd = bench.finished, bench.fresh()
    with small_disk(cwd / "runs", ROOM if read_only else rng.randint(40, _kib(whole))) as disk:
        if read_only:
            answer = bench.run("train", *TINY_RUN, "trainer.max_epochs=2", "name=k", cwd=cwd)
            require(answer.returncode == 0, f"two epochs: {answer.stderr[-300:]}")
            (folder,) = (disk / "k").iterdir()
            before = _bytes_of(folder)
            remount(disk, "ro")
            message = require_one_line(bench.run("train", f"resume={folder}", "trainer.max_epochs=3", cwd=cwd))
            require(_bytes_of(folder) == before, "a read-only run folder has changed")
        else:
            first = bench.run("train", *TINY_RUN, "name=k", cwd=cwd)
            if first.returncode == 0:  # there was room
                (folder,) = (disk / "k").iterdir()
                require_same_run(whole, folder, "just enough room")
                return
            message = require_one_line(first)
            nothing_is_torn(cwd, [message])
            _says_failed(disk)
        require("disk" in message or "read-only" in message, f"the reason is not told: {message}")
        remount(disk, f"rw,size={ROOM}k")
        checkpoints = list(disk.glob("k/*/checkpoints/last.ckpt"))
        again = (
            (f"resume={checkpoints[0].parents[1]}", "trainer.max_epochs=3") if checkpoints else (*TINY_RUN, "name=k", "resume=auto")
        )
        answer = bench.run("train", *again, cwd=cwd)
        require(answer.returncode == 0, f"with room again: {answer.stderr[-300:]}")
        ended = [p.parent for p in disk.glob("k/*/result.json") if RunFolder(p.parent).read_result()["status"] == "completed"]
        require(len(ended) == 1, f"{len(ended)} completed runs")
        if not read_only:  # the learning rate of two epochs and one more is another
            require_same_run(whole, ended[0], message)
    shutil.rmtree(cwd)


def _says_failed(disk: Path) -> None:
    for path in disk.glob("k/*/result.json"):
        status = RunFolder(path.parent).read_result()["status"]
        require(status == "failed" or shutil.disk_usage(disk).free < SMALL_RESULT, f"result.json says {status} though it had room")


def _kib(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 1024


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _cache(bench: Bench, rng: random.Random) -> None:
    """Fill the disk of the cache; with room again the same command ends as it should."""
    whole, cwd = bench.finished, bench.fresh()
    command = ("train", *TINY_RUN, "name=k", "paths.cache=cache")
    with small_disk(cwd / "cache", rng.randint(4, 700)) as disk:
        first = bench.run(*command, cwd=cwd)
        if first.returncode != 0:
            message = require_one_line(first)
            require("disk" in message, f"the reason is not told: {message}")
        remount(disk, f"size={ROOM}k")
        answer = bench.run(*command, cwd=cwd)
        require(answer.returncode == 0, f"with room again: {answer.stderr[-300:]}")
        ended = [p.parent for p in cwd.glob("runs/k/*/result.json") if RunFolder(p.parent).read_result()["status"] == "completed"]
        for folder in ended:
            require_same_run(whole, folder, "the cache had no room at first")
        require(not list(disk.rglob("*.partial")), "a .partial file is left in the cache")
    shutil.rmtree(cwd)


def _temporary(bench: Bench, rng: random.Random) -> None:
    """Fill $TMPDIR, or make it read-only: it is not needed."""
    cwd = bench.fresh()
    with small_disk(cwd / "tmp", 64) as disk:
        if rng.random() < 0.5:
            remount(disk, "ro")
        else:
            _fill(disk)
        answer = bench.run("train", *TINY_RUN, "name=k", cwd=cwd, env={"TMPDIR": str(disk)})
        if answer.returncode != 0:
            require_one_line(answer)
        else:
            (folder,) = (cwd / "runs" / "k").iterdir()
            require_same_run(bench.finished, folder, "no room in $TMPDIR")
    shutil.rmtree(cwd)


def _fill(disk: Path) -> None:
    try:
        (disk / "full").write_bytes(bytes(2**20))
    except OSError:
        return


def _outputs(read_only: bool, bench: Bench, rng: random.Random) -> None:
    """Let `inpaint`, `report` and `evaluate` write where there is no room."""
    cwd, door = bench.fresh(), rng.choice(["inpaint", "report", "evaluate"])
    more = {"inpaint": [f"images={bench.images}"], "report": [], "evaluate": ["sweet_spots=[1,2]", "schedules=[cosine]"]}[door]
    with small_disk(cwd / "out", rng.randint(4, 24)) as disk:
        if read_only:
            remount(disk, "ro")
        else:
            _fill(disk)
        message = require_one_line(bench.run(door, f"run={bench.finished}", f"out={disk / 'new'}", *more, cwd=cwd))
        require("out" in message, f"the folder is not named: {message}")
    shutil.rmtree(cwd)


FAULTS = (
    Fault(name="full disk: run folder", attempt=partial(_run_folder, False), times=10),
    Fault(name="read-only: run folder", attempt=partial(_run_folder, True), times=2),
    Fault(name="full disk: cache", attempt=_cache, times=6),
    Fault(name="full disk, read-only: $TMPDIR", attempt=_temporary, times=3),
    Fault(name="full disk: outputs", attempt=partial(_outputs, False), times=6, quick=1),
    Fault(name="read-only: outputs", attempt=partial(_outputs, True), times=4),
)
