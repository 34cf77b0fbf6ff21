"""Two processes that want the same at the same moment: two folders, one cache, and the results of each on its own."""

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.metrics_file import read_rows
from tests.faults.bench import TINY_RUN, Bench, require, require_same_run
from tests.faults.fault import Fault
from tests.faults.flips import CACHES


def _same_second(bench: Bench, rng: random.Random) -> None:
    """Start two to four runs of one name, right after a second began: their folders are named by it."""
    whole, cwd, count = bench.finished, bench.fresh(), rng.randint(2, 4)
    time.sleep(1.02 - time.time() % 1)
    running = [bench.start("train", *TINY_RUN, "name=k", f"notes=run{i}", cwd=cwd) for i in range(count)]
    statuses = [one.wait() for one in running]
    folders = [path for path in (cwd / "runs" / "k").iterdir() if path.is_dir()]
    require(statuses == [0] * count, f"{count} runs: exit {statuses}")
    require(len(folders) == count, f"{count} runs share {len(folders)} folders")
    for folder in folders:
        require_same_run(whole, folder, f"{count} runs at once")
    shutil.rmtree(cwd)


def _empty_cache(bench: Bench, rng: random.Random) -> None:
    """Start two runs that need the same tokenizer and caches, none of which are there."""
    whole, cwd = bench.finished, bench.fresh()
    running = []
    for i in range(2):
        running.append(bench.start("train", *TINY_RUN, f"name=k{i}", "paths.cache=cache", cwd=cwd))
        time.sleep(rng.uniform(0, 0.5))
    statuses = [one.wait() for one in running]
    require(statuses == [0, 0], f"exit {statuses}")
    for folder in cwd.glob("runs/k*/*"):
        require_same_run(whole, folder, "two runs made one cache")
    shutil.rmtree(cwd)


def _one_resumed_twice(bench: Bench, rng: random.Random) -> None:
    """Go on with one run from two processes: one goes on, the other is told, and the run is whole."""
    cwd = bench.fresh()
    shutil.copytree(bench.finished, cwd / "run")
    running = []
    for _ in range(2):
        running.append(bench.start("train", f"resume={cwd / 'run'}", "trainer.max_epochs=5", cwd=cwd))
        time.sleep(rng.uniform(0, 0.3))
    statuses = sorted(one.wait() for one in running)
    require(statuses in ([0, 1], [0, 0]), f"exit {statuses}")
    result = RunFolder(cwd / "run").read_result()
    steps = [row["step"] for row in read_rows(cwd / "run" / "metrics.csv") if row.get("val/loss")]
    require(
        result["status"] == "completed" and len(steps) == len(set(steps)), f"exit {statuses}, {result['status']}, epochs at {steps}"
    )
    shutil.rmtree(cwd)


def _array(bench: Bench, rng: random.Random) -> None:
    """Fork processes that read or make one cached array; some are killed meanwhile."""
    name = rng.choice(["images", "holes", "tokens"])
    cache, expected = bench.fresh(), CACHES[name].values(bench, bench.fresh())
    children = [_forked(lambda: CACHES[name].values(bench, cache), expected) for _ in range(4)]
    time.sleep(rng.uniform(0, 0.02))
    killed = rng.random() < 0.5
    if killed:
        os.kill(children[0], 9)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    require(set(statuses[1:]) == {0} and statuses[0] in (0, -9), f"{name}: {statuses}")
    require(np.array_equal(CACHES[name].values(bench, cache), expected), f"{name}: another array is left")
    require(not list(cache.rglob("*.partial")), f"{name}: a .partial file is left")
    shutil.rmtree(cache)


def _forked(values: Callable[[], np.ndarray], expected: np.ndarray) -> int:
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = int(not np.array_equal(values(), expected))
        finally:
            os._exit(status)
    return child


def _finished(bench: Bench) -> Path:
    return bench.finished


FAULTS = (
    Fault(name="processes that make one array", attempt=_array, times=100, quick=2, caged=True),
    Fault(name="runs of one name in one second", attempt=_same_second, times=4),
    Fault(name="runs that make one cache", attempt=_empty_cache, times=3),
    Fault(name="one run resumed twice at once", attempt=_one_resumed_twice, times=4, needs=(_finished,)),
)
