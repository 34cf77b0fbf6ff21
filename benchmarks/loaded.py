"""A training step beside other programs: nothing, one busy core, or another training.

Three ways: waiting threads spin as OpenMP has it, sleep as in the commands, or there is one thread only. OpenMP reads its settings
once, so each way has processes of its own, `python -m benchmarks.loaded SIZE BATCH`, which take steps when they are told to.
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

SECONDS = 2.5  # of steps between two looks
WARM_UP = 3  # steps
BESIDE = ("nothing", "one busy core", "another training")
SPIN = {"GOMP_SPINCOUNT": "300000"}  # libgomp's own default, said aloud: benchmarks/__init__.py leaves it then
WAYS = {"spinning": SPIN, "asleep": SLEEP, "one thread": {**SLEEP, "OMP_NUM_THREADS": "1"}}
BUSY = "while True: pass"


class Worker:
    """A process that has its networks ready and takes steps when it is told to.

    Args:
        way: of WAYS.
        size: of the networks.
        batch_size: of a step.
    """

    def __init__(self, way: str, size: str, batch_size: int) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in (*WAITING, "OMP_NUM_THREADS")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.loaded", size, str(batch_size)], env=kept | WAYS[way],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self._answer()

    def begin(self, seconds: float) -> None:
        """Let it take steps for some seconds."""
        assert self._process.stdin
        print(seconds, file=self._process.stdin, flush=True)

    def step_seconds(self) -> float:
        """Return the median seconds of the steps it was told to take, when it has taken them."""
        return float(self._answer())

    def end(self) -> None:
        """End the process."""
        with self._process as process:
            process.kill()

    def _answer(self) -> str:
        assert self._process.stdout
        if not (line := self._process.stdout.readline()):
            raise SystemExit("a process of benchmarks.loaded ended before it answered; its error is above")
        return line


def loaded(bench: Bench, size: str) -> Iterator[Row]:
    """Compare steps of every way, each beside the same programs."""
    if bench.device.type != "cpu":
        raise SystemExit("the group loaded measures threads of the CPU: --device cpu")
    alone = None
    with ExitStack() as stack:
        workers = {way: [_started(stack, way, size, bench.batch_size) for _ in range(2)] for way in WAYS}
        for beside in BESIDE:
            seconds: dict[str, list[float]] = {way: [] for way in WAYS}
            for pair in range(bench.pairs):
                for way in list(WAYS) if pair % 2 == 0 else reversed(WAYS):
                    seconds[way].append(_step_seconds(workers[way], beside))
            medians = {way: statistics.median(values) for way, values in seconds.items()}
            # by the faster way: what another program does to spinning threads meanwhile must not flatter the others
            alone = alone or min(medians.values())
            key = f"loaded_{beside}"
            yield Row.of(
                f"training step, batch {bench.batch_size}, beside {beside}, {size}", "spinning threads",
                Paired(seconds["asleep"], seconds["spinning"]), key=key,
                extra={
                    "seconds": medians, "times_a_step_alone": {way: round(value / alone, 2) for way, value in medians.items()},
                    "times_at_most": bench.target(key),
                },
            )  # fmt: skip


def _started(stack: ExitStack, way: str, size: str, batch_size: int) -> Worker:
    worker = Worker(way, size, batch_size)
    stack.callback(worker.end)
    return worker


def _step_seconds(workers: list[Worker], beside: str) -> float:
    """Return the seconds of a step; beside another training, the mean of both."""
    steps = workers if beside == "another training" else workers[:1]
    with ExitStack() as stack:
        if beside == "one busy core":
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
            stack.callback(busy.kill)
        for worker in steps:
            worker.begin(SECONDS)
        return statistics.mean([worker.step_seconds() for worker in steps])


def main(size: str, batch_size: int) -> None:
    """Get ready, say so, then take steps for as many seconds as a line of standard input says and print the median of theirs."""
    cpu = torch.device("cpu")
    bench = Bench(cpu, 1, autocast_dtype(resolve_precision("auto", "cpu")[0]), batch_size=batch_size)
    made = subject(size, cpu)
    images, _ = pictures(batch_size, cpu)
    step = TrainingStep(made, bench, made.tokenizer.encode(images))
    for _ in range(WARM_UP):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        times: list[float] = []
        end = time.perf_counter() + float(line)
        while not times or time.perf_counter() < end:
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        print(statistics.median(times), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
