"""The sweet spot as a curve: the distance after every step of a decode, by schedule and temperature, of several checkpoints.

    python -m benchmarks.sweet_spot RUN_AFTER_1_EPOCH RUN_AFTER_5 --steps 8 --schedules linear cosine square --temperatures 0 1

All stops of a schedule lie on one decoding trajectory, so a curve costs as much as its last point. Prints a Markdown table per run
with the spread over seeds; `least` names the stop with the least mean, and the stops that the spread does not tell from it.
"""

import argparse
import dataclasses
from pathlib import Path

from benchmarks.study import Study, add_arguments, schedule, study
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.reporting.tables import render_markdown


def main() -> None:
    """Measure the curves and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="run folders of maskgit_lab.train")
    parser.add_argument("--steps", type=int, default=8, help="T")
    parser.add_argument("--schedules", nargs="+", default=["linear", "cosine", "square"])
    parser.add_argument("--temperatures", nargs="+", type=float, default=[0.0, 1.0], help="of the tokens; 0 = the most likely one")
    parser.add_argument("--output", choices=["decoded", "composited"], default="composited")
    parser.add_argument("--score", help="default: the distance; or mae_hole, token_accuracy, ...")
    add_arguments(parser)
    args = parser.parse_args()
    for run in args.runs:
        made = study(run, args)
        rows = [row for temperature in args.temperatures for row in curves(made, args, temperature, args.score or made.distance)]
        headers = ["schedule", "temperature", *map(str, range(1, args.steps + 1)), "least"]
        print(
            f"\n{escaped(run.name)}: {escaped(args.score or made.distance)} of {args.output} images after step 1 to {args.steps}\n"
        )
        print(render_markdown(headers, rows))
        print(f"{len(made.images)} {args.on} images, {args.seeds} seeds")


def curves(made: Study, args: argparse.Namespace, temperature: float, score: str) -> list[list[str]]:
    """Return a row of the table for each schedule."""
    settings = dataclasses.replace(
        made.filler.settings, num_steps=args.steps, sweet_spot=None, refresh_every=None, token_temperature=temperature
    )
    schedules, stops = {name: schedule(name) for name in args.schedules}, list(range(1, args.steps + 1))
    cells = made.cells(settings, schedules=schedules, sweet_spots=stops, seeds=args.seeds)
    rows = []
    for name in args.schedules:
        found = {cell.sweet_spot: cell.scores[score] for cell in cells if cell.schedule == name and cell.output == args.output}
        rows.append([name, f"{temperature:g}", *(str(Spread.of(found[stop])) for stop in stops), least(found)])
    return rows


def least(found: dict[int, list[float]]) -> str:
    """Name the stop of the least mean first, then those that the spread does not tell from it."""
    spreads = {stop: Spread.of(values) for stop, values in found.items()}
    best = min(spreads, key=lambda stop: spreads[stop].mean)
    close = [stop for stop in spreads if stop != best and spreads[stop].exceeds(spreads[best]) is not True]
    return f"{best}" + (f" (or {', '.join(map(str, close))})" if close else "")


if __name__ == "__main__":
    main()
