"""How long the table of schedules x sweet spots takes in one call, against one evaluation per cell, side by side in one process.

    python benchmarks/grid.py RUN --images 64 --repeats 5

Both sides score the same outputs with the tokenizer's features, and find the truth's features in memory. Prints the median of the
paired ratios; every score must agree.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from maskgit_lab.assembly.load import load_splits
from maskgit_lab.core.schedules import Cosine, Linear, MaskSchedule, Square
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.evaluation.grid import Cell, Grid, evaluate_grid
from maskgit_lab.evaluation.truth import read_truth
from maskgit_lab.inpainter import Inpainter

SCHEDULES: dict[str, MaskSchedule] = {"linear": Linear(), "cosine": Cosine(), "square": Square()}
SWEET_SPOTS = (3, 5, 7)


def main() -> None:
    """Time both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of maskgit_lab.train")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "maskgit_lab")
    args = parser.parse_args()
    filler = Inpainter.from_run(args.run).filler
    test = load_splits(args.run).test
    assert test.truth is not None
    images, holes, true = (array[: args.images] for array in (test.images, test.holes, test.truth))
    part = InpaintSet(images, holes, test.names[: args.images], true, "part")
    extractor = TokenizerFeatures(tokenizer=filler.tokenizer)
    truth = read_truth(true, holes, extractor, cache=args.cache, batch_size=64, device="cpu")

    def evaluated(schedules: dict[str, MaskSchedule], sweet_spots: tuple[int, ...]) -> list[Cell]:
        grid = Grid(settings=filler.settings, schedules=schedules, sweet_spots=sweet_spots, seeds=[0])
        return evaluate_grid(filler, part, truth, grid, batch_size=64).cells

    def separately() -> list[Cell]:
        return [c for name, s in SCHEDULES.items() for spot in SWEET_SPOTS for c in evaluated({name: s}, (spot,))]

    def timed(work: Callable[[], list[Cell]]) -> tuple[float, list[Cell]]:
        start = time.perf_counter()
        cells = work()
        return time.perf_counter() - start, cells

    ratios = []
    for _ in range(args.repeats):
        together, cells = timed(lambda: evaluated(SCHEDULES, SWEET_SPOTS))
        apart, expected = timed(separately)
        assert cells == expected, "the grid's scores differ from those of separate evaluations"
        ratios.append(apart / together)
        print(f"grid {together:.1f} s, nine evaluations {apart:.1f} s: {ratios[-1]:.2f}x", flush=True)
    print(f"median {statistics.median(ratios):.2f}x over {args.repeats} pairs, {args.images} pictures, equal scores")


if __name__ == "__main__":
    main()
