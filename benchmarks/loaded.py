"""A training step beside other programs: nothing, one busy core, or another training; with waiting threads asleep or spinning.

Each measurement is a process of its own, `python -m benchmarks.loaded SIZE BATCH STEPS`, because OpenMP reads its settings once.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import torch

from benchmarks.against_listing import Bench, TrainingStep
from benchmarks.measure import Paired
from benchmarks.rows import Row
from benchmarks.subjects import pictures, subject
from maskgit_lab.machine.cores import SLEEP, WAITING
from maskgit_lab.training.precision import autocast_dtype, resolve_precision

SECONDS = 8.0  # of steps in a process
WARM_UP = 3  # steps
BESIDE = ("nothing", "one busy core", "another training")
LIMITS = {"nothing": 1.05, "one busy core": 1.6, "another training": 1.7}  # times the step of spinning threads with nothing beside
SPIN = {"GOMP_SPINCOUNT": "300000"}  # libgomp's own default, said aloud: benchmarks/__init__.py leaves it then
BUSY = "while True: pass"


def loaded(bench: Bench, size: str) -> Iterator[Row]:
    """Compare steps with sleeping and with spinning threads, each beside the same programs."""
    if bench.device.type != "cpu":
        raise SystemExit("the group loaded measures threads of the CPU: --device cpu")
    spinning_alone: list[float] = []
    for beside in BESIDE:
        asleep, spinning = [], []
        for _ in range(bench.pairs):
            asleep.append(_step_seconds(bench, size, beside, asleep=True))
            spinning.append(_step_seconds(bench, size, beside, asleep=False))
        spinning_alone = spinning_alone or spinning
        slower = statistics.median(asleep) / statistics.median(spinning_alone)
        yield Row.of(
            f"training step, batch {bench.batch_size}, beside {beside}, {size}", "spinning threads",
            Paired(asleep, spinning), extra={"times_a_step_alone": round(slower, 2), "limit": LIMITS[beside]},
        )  # fmt: skip


def _step_seconds(bench: Bench, size: str, beside: str, *, asleep: bool) -> float:
    """Return the median seconds of a step in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in WAITING}
    environment |= SLEEP if asleep else SPIN
    own = [sys.executable, "-m", "benchmarks.loaded", size, str(bench.batch_size)]
    companions = {"one busy core": [sys.executable, "-c", BUSY], "another training": [*own, "inf"]}
    with ExitStack() as stack:
        if beside in companions:
            started = subprocess.Popen(companions[beside], env=environment, stdout=subprocess.DEVNULL)
            stack.callback(started.wait)
            stack.callback(started.kill)
        answer = subprocess.run([*own, str(SECONDS)], env=environment, capture_output=True, text=True, check=True)
    return float(answer.stdout)


def main(size: str, batch_size: int, duration: float) -> None:
    """Take steps for some seconds and print the median of theirs."""
    cpu = torch.device("cpu")
    bench = Bench(cpu, 1, autocast_dtype(resolve_precision("auto", "cpu")[0]), batch_size=batch_size)
    made = subject(size, cpu)
    images, _ = pictures(batch_size, cpu)
    step = TrainingStep(made, bench, made.tokenizer.encode(images))
    for _ in range(WARM_UP):
        step()
    times: list[float] = []
    end = time.perf_counter() + duration
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    print(statistics.median(times))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
