"""Speed as ratios, both sides measured in turns in one run.

    python -m benchmarks.run                                  # every group that needs nothing more
    python -m benchmarks.run training decoding --size small
    python -m benchmarks.run refresh --run runs/cosine/RUN    # quality of partial refresh, on a trained run
    python -m benchmarks.run peers                            # needs pip install -e '.[bench]'
    python -m benchmarks.run throughput decoding table --device cuda --images 747 --listing-images 16
    python -m benchmarks.run training --size small --isa avx2   # as on a processor with AVX2 only

Prints a table and writes benchmarks/results/<group>_<size>_<isa>.json: the instruction set in use, or cuda.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.against_listing import Bench, decoding, table, training
from benchmarks.compiled import compiled
from benchmarks.frechet import frechet
from benchmarks.kernels import kernels
from benchmarks.loaded import loaded
from benchmarks.measure import matrix_rate
from benchmarks.peers import peers
from benchmarks.processor import IN_WORDS, NARROWER, take
from benchmarks.refresh import refresh
from benchmarks.rows import Above, Row, instruction_set, show, write
from benchmarks.scaling import scaling
from benchmarks.startup import startup
from benchmarks.tables import beside_other_programs
from benchmarks.throughput import throughput
from maskgit_lab.machine.freed_memory import keep_freed_memory
from maskgit_lab.training.precision import autocast_dtype, resolve_precision

Group = Callable[[Bench, str], Iterator[Row] | Iterator[Above]]
GROUPS: dict[str, Group] = {
    "training": training, "decoding": decoding, "table": table, "frechet": frechet, "scaling": scaling, "startup": startup,
    "loaded": loaded, "kernels": kernels, "compiled": compiled, "peers": peers, "throughput": throughput,
}  # fmt: skip
USUAL_SIZE = {"loaded": "small"}  # lab for the others
WITHOUT_SIZE = ("frechet", "refresh", "startup")
# what runs when nothing is named, what is quick first
DEFAULT = [
    ("training", "small"), ("decoding", "small"), ("table", "small"), ("frechet", "lab"), ("startup", "lab"), ("loaded", "small"),
    ("scaling", "small"), ("training", "lab"), ("decoding", "lab"), ("table", "lab"),
]  # fmt: skip


def main() -> None:
    """Measure the groups that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "groups",
        nargs="*",
        metavar="group",
        help=f"{', '.join(GROUPS)}, refresh; none = all but kernels, compiled, peers, throughput and refresh",
    )
    parser.add_argument("--size", choices=("lab", "small"), help="default: lab; small for loaded")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--listing-images", type=int, help="how many of them the listing decodes per pair; its time is scaled")
    parser.add_argument("--batch-size", type=int, default=10, help="of training")
    parser.add_argument("--isa", choices=NARROWER, help="use no wider instructions than these; default: what there is")
    parser.add_argument("--precision", default="auto", help="ours: auto, 32-true or bf16-mixed")
    parser.add_argument("--run", type=Path, help="trained run, for the group refresh")
    args = parser.parse_args()
    unknown = set(args.groups) - {*GROUPS, "refresh"}
    if unknown:
        parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}, refresh")
    if "refresh" in args.groups and args.run is None:
        parser.error("refresh needs --run RUN_FOLDER")
    if args.isa:
        take(args.isa)
    keep_freed_memory()  # as the commands do; both sides gain
    device = torch.device(args.device)
    precision, reason = resolve_precision(args.precision, "cpu" if device.type == "cpu" else "auto")
    isa = instruction_set(device)
    print(f"{IN_WORDS.get(isa, isa)}, {reason}; {torch.get_num_threads()} threads", flush=True)
    bench = Bench(device, args.pairs, autocast_dtype(precision), args.images, args.batch_size, args.listing_images)
    for group, size in [(group, args.size or USUAL_SIZE.get(group, "lab")) for group in args.groups] or DEFAULT:
        measure(group, size, bench, args.run)


def measure(group: str, size: str, bench: Bench, run: Path | None) -> None:
    """Measure one group, print it and write it."""
    load = os.getloadavg()[0]
    rates = {name: matrix_rate(dtype, bench.device) for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    rows: list[Row | Above] = []
    for row in refresh(bench, run) if group == "refresh" and run else GROUPS[group](bench, size):
        print(row.line(), flush=True)  # as soon as it is there: a group may take many minutes
        rows.append(row)
    name = group if group in WITHOUT_SIZE else f"{group}_{size}"
    path = write(name, rows, rates, bench.device, [load, os.getloadavg()[0]])
    print(f"\n{show(rows, rates)}\n{path}", flush=True)
    if group == "loaded":
        print(beside_other_programs([asdict(row) for row in rows]))
    for row in rows:
        if row.extra and group != "loaded":
            print(f"  {row.work}: {row.extra}")


if __name__ == "__main__":
    main()
