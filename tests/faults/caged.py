"""Try in a process that cannot hang, eat the machine, or mutter unheard: thousands of broken inputs in bounded time."""

import json
import logging
import os
import resource
import select
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import IO, Never

from tests.faults.bench import Bench
from tests.faults.fault import Fault, NotHereError, Tally, lost_in

PATIENCE = 10  # seconds for one try
MEMORY = 2 * 2**30  # bytes more than the process had


def try_caged(fault: Fault, bench: Bench, seeds: Sequence[int], *, seconds: float | None = None) -> Tally:
    """Try with every seed, or until the time is over; a process that dies or hangs costs one try and is replaced."""
    for make in fault.needs:
        make(bench)
    tally, start, left = Tally(fault.name), time.monotonic(), list(seeds)
    while left and not tally.not_here and not (tally.tried and seconds is not None and time.monotonic() - start > seconds):
        left = left[_one_cage(fault, bench, left, tally, None if seconds is None else start + seconds) :]
    tally.seconds = time.monotonic() - start
    return tally


def _one_cage(fault: Fault, bench: Bench, seeds: Sequence[int], tally: Tally, until: float | None) -> int:
    """Try with the seeds in order until all are done or the process is gone; return how many were."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads; here are none
        child = os.fork()
    if child == 0:
        os.close(reader)
        _in_cage(fault, bench, seeds, os.fdopen(writer, "w"))
    os.close(writer)
    done, reason = 0, ""
    with os.fdopen(reader) as lines:
        while True:
            if not select.select([lines], [], [], 2 * PATIENCE)[0]:
                reason = f"hangs for more than {2 * PATIENCE} s"
                break
            line = lines.readline()
            if not line or (until is not None and done and time.monotonic() > until):
                break
            said = json.loads(line)
            if "not_here" in said:
                tally.not_here = said["not_here"]
                break
            tally.note(seeds[done], said["lost"])
            done += 1
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if done < len(seeds) and not tally.not_here and (until is None or time.monotonic() <= until):
        tally.note(seeds[done], reason or f"the process died with status {os.waitstatus_to_exitcode(status)}")
        done += 1
    return done


def _in_cage(fault: Fault, bench: Bench, seeds: Sequence[int], out: IO[str]) -> Never:
    with tempfile.TemporaryFile() as heard:
        os.dup2(heard.fileno(), 2)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        limit = _virtual_memory() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, _too_long)
        logging.disable()  # what the package says in its log is said on purpose
        warnings.simplefilter("always")  # each one is heard, also where pytest listens
        warnings.showwarning = lambda message, category, *place: print(f"{category.__name__}: {message}", file=sys.stderr)
        for seed in seeds:
            signal.alarm(PATIENCE)
            try:
                said: dict[str, str | None] = {"lost": lost_in(fault, bench, seed)}
            except NotHereError as reason:
                said = {"not_here": str(reason)}
            signal.alarm(0)
            sys.stderr.flush()
            if heard.tell():
                heard.seek(0)
                muttered = heard.read().decode(errors="replace").strip()
                said["lost"] = said.get("lost") or f"wrote to stderr: {muttered[:300]}"
                heard.seek(0)
                heard.truncate()
            print(json.dumps(said), file=out, flush=True)
        os._exit(0)


def _too_long(number: int, frame: FrameType | None) -> Never:
    raise TimeoutError(f"took more than {PATIENCE} s")


def _virtual_memory() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
