"""The processor's cores: how many this process may use, and threads that sleep while they wait for each other.

After every operation torch's threads wait for the last of them. OpenMP lets them spin, which starves every other program on the
same cores: two training runs side by side took four times as long as one. OpenMP reads these settings once, when torch is imported.
Nothing here imports torch.
"""

import os
import sys
from collections.abc import Mapping, MutableMapping
from math import ceil
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
# what OpenMP's runtimes read; one that the user has set wins
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SPINS = 1000  # looks of libgomp before a thread sleeps: some microseconds, in which most of the short waits end
SLEEP = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": str(SPINS)}


def let_waiting_threads_sleep(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Tell OpenMP, and every process started from here, that waiting threads sleep; return whether that is new.

    Nothing is changed where the user has decided, or where torch has been imported and it would be too late.
    """
    if "torch" in sys.modules or any(name in environment for name in WAITING):
        return False
    environment.update(SLEEP)
    return True


def share_cores(processes: int | None = 1, environment: MutableMapping[str, str] = os.environ) -> str:
    """Set the number of threads where this process may use fewer cores than OpenMP would take; return a sentence for the log.

    `processes` are about to share the cores, this one included; None = not known, their launcher decides. OMP_NUM_THREADS in the
    environment, the user's or a launcher's, wins; else it is set, also for processes started from here.
    """
    given = environment.get("OMP_NUM_THREADS")
    if given is None and processes is not None:
        share = max(1, usable_cores(environment) // processes)
        # unset otherwise: torch counts one thread per physical core, where there are more logical ones
        if share < visible_cores():
            environment["OMP_NUM_THREADS"] = given = str(share)
    threads = "one per core" if given is None else f"{given} (OMP_NUM_THREADS)"
    return f"Threads: {threads}, {waiting(environment)}"


def waiting(environment: Mapping[str, str] = os.environ) -> str:
    """Return in words what threads do while they wait."""
    chosen = {name: environment[name] for name in WAITING if name in environment}
    if not chosen:
        return "spinning while they wait (torch was imported before this package could say otherwise)"
    if chosen == SLEEP:
        return "asleep while they wait"
    return "waiting as configured: " + ", ".join(f"{name}={value}" for name, value in chosen.items())


def visible_cores() -> int:
    """Return how many logical cores the system lets this process run on."""
    if sys.platform == "linux":  # others do not tell
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_cores(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many cores this process may use: by affinity, the container's quota and SLURM's allocation, at least 1."""
    limits = [float(visible_cores()), *cgroup_quotas()]
    allotted = environment.get("SLURM_CPUS_PER_TASK", "")
    if allotted.isdigit():
        limits.append(float(allotted))
    return max(1, ceil(min(limits)))


def cgroup_quotas(own: Path = OWN_CGROUP, root: Path = CGROUPS) -> list[float]:
    """Return the processor quotas, in cores, of the control groups that this process is in, and of those around them."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:  # another system than Linux, or one without control groups
        return []
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        first = root if not controllers else root / controllers  # version 2 has one tree, version 1 one per controller
        here = first / path.lstrip("/")
        # inside a container the path may be the host's: then its root is all there is to see
        for folder in [here, *here.parents] if here.is_dir() else [first]:
            quotas += _quota(folder)
            if folder == first:
                break
    return quotas


def _quota(folder: Path) -> list[float]:
    """Return the quota of one control group, in cores, or nothing."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text(encoding="utf-8").strip() for name in ("quota", "period"))
        return [float(quota) / float(period)] if quota not in ("max", "-1") else []
    except (OSError, ValueError):
        return []
