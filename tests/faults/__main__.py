"""Do the harm and print one table; exit status 1 when something was lost."""

import argparse
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: processes are forked from this one

from tests.faults.bench import Bench
from tests.faults.caged import try_caged
from tests.faults.fault import Fault, Tally, try_here
from tests.faults.kinds import KINDS


def main() -> None:
    """Run the kinds that the command line names, all of them without names."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Do harm on purpose, and count what is lost")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="as many tries as the tests do")
    parser.add_argument("--seconds", type=float, help="stop a kind after this time, however many tries are left")
    parser.add_argument("--seed", type=int, default=0, help="of the first try; the others follow")
    parser.add_argument("--only", metavar="NAME", help="faults whose name contains this")
    parser.add_argument("--times", type=int, help="tries of each fault")
    parser.add_argument("--reasons", action="store_true", help="say of every loss how often it happened")
    told = parser.parse_args()
    if unknown := set(told.kinds) - set(KINDS):
        parser.error(f"no kind {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    logging.getLogger("maskgit_lab").setLevel(logging.ERROR)  # caches that are made again are said, each time
    folder = Path(tempfile.mkdtemp(prefix="faults"))
    tallies: list[Tally] = []
    try:
        with Bench(folder) as bench:
            for kind in told.kinds or KINDS:
                tallies += _kind(kind, bench, told)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{_table(tallies)}")
    for tally in tallies:
        if tally.lost:
            print(f"\nLOST {tally.fault}: {tally.first}")
            print(f'  again: python -m tests.faults --only "{tally.fault}" --seed {tally.first.split()[1].rstrip(":")} --times 1')
            if told.reasons:
                print(
                    "\n".join(
                        f"  {count:6} x {reason}" for reason, count in sorted(tally.reasons.items(), key=lambda item: -item[1])
                    )
                )
    sys.exit(any(tally.lost for tally in tallies))


def _kind(kind: str, bench: Bench, told: argparse.Namespace) -> list[Tally]:
    chosen = [fault for fault in KINDS[kind] if not told.only or told.only in fault.name]
    seconds = None if told.seconds is None else told.seconds / max(1, len(chosen))
    tallies = []
    for fault in chosen:
        times = _times(fault, told)
        if times:
            seeds = range(told.seed, told.seed + times)
            tallies.append((try_caged if fault.caged else try_here)(fault, bench, seeds, seconds=seconds))
            print(_line(tallies[-1]), flush=True)
    return tallies


def _times(fault: Fault, told: argparse.Namespace) -> int:
    if told.times is not None:
        return int(told.times)
    return fault.quick if told.quick else fault.times


def _line(tally: Tally) -> str:
    rest = f"  not here: {tally.not_here}" if tally.not_here else ""
    return f"{tally.fault:<48}{tally.tried:>9,}{tally.survived:>10,}{tally.lost:>7,}{tally.seconds:>8.0f} s{rest}"


def _table(tallies: list[Tally]) -> str:
    total = Tally("all", tried=sum(t.tried for t in tallies), lost=sum(t.lost for t in tallies))
    total.seconds = sum(t.seconds for t in tallies)
    head = f"{'fault':<48}{'tried':>9}{'survived':>10}{'lost':>7}{'time':>10}"
    return "\n".join([head, "-" * len(head), *map(_line, tallies), "-" * len(head), _line(total)])


if __name__ == "__main__":
    main()
