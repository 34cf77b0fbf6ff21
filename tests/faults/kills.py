"""Processes that are killed or told to stop, at any moment and right before any change of a file, and started again.

However often that happens, the run ends with exactly the weights, curves and scores of one that nobody disturbed, and at no moment
is a file under its final name torn.
"""

import random
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.runs.folder import RunFolder
from tests.faults.bench import TINY_RUN, Bench, require, require_same_run
from tests.faults.fault import Fault

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
NEW_RUN: tuple[str, ...] = ("train", *TINY_RUN, "name=k")
Disturbed = Callable[[Bench, random.Random, Path, tuple[str, ...]], str]  # command, in a folder -> what was done, in words


def at_any_moment(bench: Bench, rng: random.Random, cwd: Path, command: tuple[str, ...]) -> str:
    """Send a signal after a random part of the time that an undisturbed run takes."""
    running, wait, number = bench.start(*command, cwd=cwd), rng.uniform(0.2, bench.seconds), rng.choice(SIGNALS)
    time.sleep(wait)
    running.send_signal(number)
    if number == signal.SIGINT and rng.random() < 0.3:
        running.send_signal(number)  # impatient
    return f"{number.name} after {wait:.2f} s: exit {running.wait()}"


def in_a_write(bench: Bench, rng: random.Random, cwd: Path, command: tuple[str, ...]) -> str:
    """Send SIGKILL when a checkpoint folder has just changed for the so manieth time."""
    running, wanted = bench.start(*command, cwd=cwd), rng.randint(1, 12)
    before, left = _checkpoints(cwd), wanted
    while left and running.send_signal(0):
        now = _checkpoints(cwd)
        left -= now != before
        before = now
        time.sleep(0.0003)
    time.sleep(rng.uniform(0, 0.002))
    running.send_signal(signal.SIGKILL)
    return f"SIGKILL at the {wanted}th change of checkpoints: exit {running.wait()}"


def _checkpoints(cwd: Path) -> set[tuple[str, int]]:
    found = set()
    for path in cwd.glob("runs/*/*/checkpoints/*"):
        try:
            found.add((str(path), path.stat().st_size))
        except OSError:  # gone meanwhile
            continue
    return found


def before_a_change(most: int, bench: Bench, rng: random.Random, cwd: Path, command: tuple[str, ...]) -> str:
    """Let the command die right before it makes, renames or removes one of the first `most` files below the folder."""
    number = rng.randint(1, most)
    return f"killed before change {number}: exit {bench.start(*command, cwd=cwd, dies=(number, str(cwd))).wait()}"


def _train(disturbed: Disturbed, most: int, bench: Bench, rng: random.Random) -> None:
    """Disturb a run up to `most` times in a row: it is also killed again right after it was told to go on."""
    whole, cwd, command, done = bench.finished, bench.fresh(), NEW_RUN, []
    for _ in range(rng.randint(1, most)):
        done.append(disturbed(bench, rng, cwd, command))
        nothing_is_torn(cwd, done)
        command = _again(cwd, rng)
    done.append(command[-1].partition("=")[0])
    answer = bench.run(*command, cwd=cwd)
    require(answer.returncode == 0, f"{done}: exit {answer.returncode}: {answer.stderr[-300:]}")
    ended = [
        path.parent for path in cwd.glob("runs/k/*/result.json") if RunFolder(path.parent).read_result()["status"] == "completed"
    ]
    require(len(ended) >= 1, f"{done}: no completed run")
    for folder in ended:
        require_same_run(whole, folder, str(done))
        require(not list(folder.rglob("*.partial")), f"{done}: a .partial file is left")
    shutil.rmtree(cwd)


def _again(cwd: Path, rng: random.Random) -> tuple[str, ...]:
    """Return what a user types next: resume, or the same command where there is no checkpoint yet."""
    checkpoints = sorted(cwd.glob("runs/k/*/checkpoints/last.ckpt"), key=lambda path: path.stat().st_mtime_ns)
    if checkpoints and rng.random() < 0.8:
        return ("train", f"resume={checkpoints[-1].parents[1]}")
    return (*NEW_RUN, "resume=auto") if checkpoints or rng.random() < 0.5 else NEW_RUN


def nothing_is_torn(cwd: Path, done: list[str]) -> None:
    """Open every file that has its final name."""
    try:
        for path in cwd.glob("runs/k/*/tokenizer.pt"):
            FrozenTokenizer.load(path)
        for path in cwd.glob("runs/k/*/checkpoints/*.ckpt"):
            Inpainter.from_run(path.parents[1], checkpoint=path.stem, device="cpu")
        for path in cwd.glob("runs/k/*/result.json"):
            RunFolder(path.parent).read_result()
        for path in cwd.glob("runs/k/*/figures/**/*.png"):
            _pixels(path)
    except Exception as error:
        raise AssertionError(f"{done}: torn: {error}") from error


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def _cache(bench: Bench, rng: random.Random) -> None:
    """Kill a run while stage 1 is trained and caches are made; the same command goes on."""
    whole, cwd = bench.finished, bench.fresh()
    command, done = (*NEW_RUN, f"paths.cache={cwd / 'cache'}"), []
    for _ in range(rng.randint(1, 2)):
        number = rng.randint(1, 60)
        status = bench.start(*command, cwd=cwd, dies=(number, str(cwd / "cache"))).wait()
        done.append(f"killed before change {number} of the cache: exit {status}")
    answer = bench.run(*command, cwd=cwd)
    require(answer.returncode == 0, f"{done}: exit {answer.returncode}: {answer.stderr[-300:]}")
    ended = [
        path.parent for path in cwd.glob("runs/k/*/result.json") if RunFolder(path.parent).read_result()["status"] == "completed"
    ]
    require_same_run(whole, ended[-1], str(done))
    require(not list((cwd / "cache").rglob("*.partial")), f"{done}: a .partial file is left in the cache")
    shutil.rmtree(cwd)


def _inpaint(bench: Bench, rng: random.Random) -> None:
    """Kill `inpaint`; what it wrote is whole, and the same command writes the rest."""
    cwd = bench.fresh()
    command = ("inpaint", f"run={bench.finished}", f"images={bench.images}", "device=cpu", "batch_size=1")
    whole = bench.once(
        "filled", lambda folder: require(bench.run(*command, f"out={folder / 'out'}", cwd=folder).returncode == 0, "inpaint")
    )
    number = rng.randint(1, 25)
    bench.start(*command, "out=out", cwd=cwd, dies=(number, str(cwd))).wait()
    for path in cwd.glob("out/**/*.png"):
        _pixels(path)
    answer = bench.run(*command, "out=out", *bench.overwrite, cwd=cwd)
    require(answer.returncode == 0, f"killed before change {number}: {answer.stderr[-300:]}")
    for path in (whole / "out").rglob("*.png"):
        same = cwd / path.relative_to(whole)
        require(
            same.is_file() and np.array_equal(_pixels(path), _pixels(same)), f"killed before change {number}: {same.name} differs"
        )
    shutil.rmtree(cwd)


FAULTS = (
    Fault(name="killed at any moment, up to 3 times", attempt=partial(_train, at_any_moment, 3), times=20),
    Fault(name="killed while a checkpoint is written", attempt=partial(_train, in_a_write, 2), times=10),
    Fault(name="killed before a file changes", attempt=partial(_train, partial(before_a_change, 60), 2), times=20, quick=1),
    Fault(name="killed while caches are made", attempt=_cache, times=10),
    Fault(name="inpaint killed", attempt=_inpaint, times=10),
)
