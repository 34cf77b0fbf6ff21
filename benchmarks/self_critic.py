"""Does a self-critic pay? Fit a linear head that says "generated?" on a run's own fills, and decode by it beside other policies.

    python -m benchmarks.self_critic RUN --on val --images 500 --seeds 2 --inception inception_v3.pth --out self_critic.json

The head is fitted on holes of training images; its area under the ROC curve is that of a fifth of them, which it has not seen,
beside that of -log p, by which `p2` judges. The fills it is fitted on reveal tokens in random order: by confidence likely tokens
come first, and a head learns to revoke likely tokens (--fit-order confidence).

`critic` is asked about visible tokens while others are hidden, as `p2` is; `critic, filled` once more in every step about the
filled grid, which doubles the calls. `p2` and both critics run at every eta of --etas. Tokens are sampled at temperature 1, the
distance is that of composited images. Prints Markdown tables.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.critic import NUM_EXTRA, SEED, Critic, Examples, FilledCritic, Head, LastFeatures, auc, examples
from benchmarks.rows import machine
from benchmarks.study import Study, add_arguments, record, study
from maskgit_lab.assembly.load import load_splits
from maskgit_lab.assembly.read import load_config
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.policies.confidence import Confidence
from maskgit_lab.core.policies.halton import Halton
from maskgit_lab.core.policies.path_planning import PathPlanning
from maskgit_lab.core.policies.policy import Policy
from maskgit_lab.core.policies.random_order import RandomOrder
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.reporting.tables import render_markdown

FIT_STEPS = 8  # of the fills that a head is fitted on
ORDERS: dict[str, Policy] = {"random": RandomOrder(), "confidence": Confidence()}  # of these fills
HELD_OUT = 5  # every fifth image


def main() -> None:
    """Fit both heads, measure every policy, print the tables and write them where --out says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of maskgit_lab.train")
    parser.add_argument("--fit", type=int, default=1000, help="training images that the head is fitted on, at least 5")
    parser.add_argument("--fit-order", choices=list(ORDERS), default="random", help="in which tokens of these fills were revealed")
    parser.add_argument("--steps", nargs="+", type=int, default=[8, 16])
    parser.add_argument("--etas", nargs="+", type=float, default=[1.0, 2.0, 4.0], help="above 0; larger ones revoke more")
    parser.add_argument("--out", type=Path, help="JSON file of the tables, with command, machine and versions")
    add_arguments(parser)
    args = parser.parse_args()
    if args.seeds < 2:
        parser.error("--seeds must be at least 2: a single fill has no diversity")
    if args.fit < HELD_OUT:
        parser.error(f"--fit must be at least {HELD_OUT}: every fifth image is held out")
    if min(args.etas) <= 0:
        parser.error("--etas must be above 0: at 0 nothing is revoked")
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)  # before minutes of work
    made = study(args.run, args)
    features = LastFeatures(made.filler.model.transformer)
    sampled = dataclasses.replace(
        made.filler.settings, policy=ORDERS[args.fit_order], sweet_spot=None, refresh_every=None,
        token_temperature=1.0, top_k=0, top_p=1.0,
    )  # fmt: skip
    heads, areas = fitted(args, made, features, dataclasses.replace(sampled, num_steps=FIT_STEPS))
    rows = []
    for steps in args.steps:
        for name, policy, calls in candidates(args.etas, features, heads):
            row = measured(made, dataclasses.replace(sampled, policy=policy, num_steps=steps), args.seeds)
            about = {"policy": name, "steps": steps, "calls": calls * steps}
            rows.append(about | {key: spread.as_dict() for key, spread in row.items()})
            print(name, steps, *row.values(), flush=True)
    print("\n" + render_markdown(list(areas[0]), [[show(value) for value in area.values()] for area in areas]))
    print(render_markdown(list(rows[0]), [[show(value) for value in row.values()] for row in rows]))
    print("\n".join(verdicts(rows, made.distance)))
    print(escaped(f"{len(made.images)} {args.on} images, {args.seeds} seeds, {machine(made.filler.tokenizer.device)}"))
    if args.out:
        found = record(rows, images=len(made.images), on=args.on, seeds=args.seeds, heads=areas)
        args.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def fitted(
    args: argparse.Namespace, made: Study, features: LastFeatures, settings: DecodeSettings
) -> tuple[list[Head], list[dict[str, Any]]]:
    """Return the heads of `Critic` and `FilledCritic`, and how well each tells generated tokens of images it has not seen."""
    data, train = load_config(args.run).data, load_splits(args.run).train.images[: args.fit]
    holes = draw_holes(
        style=data["hole_style"], share=tuple(data["hole_share"]), seed=SEED, indices=range(len(train)), resolution=train.shape[1]
    )
    heads, areas = [], []
    with made.filler.model.weights_fixed():
        both = examples(made.filler, features, np.asarray(train), holes, settings, batch_size=made.batch_size)
    for name, of in zip(("critic", "critic, filled"), both, strict=True):
        head, area = fit(of)
        heads.append(head)
        areas.append({"head": name, "tokens": len(of.x), **area})
    return heads, areas


def fit(of: Examples) -> tuple[Head, dict[str, float]]:
    """Return a head, and areas under the ROC curve over held-out images: of -log p, of features only, of the head."""
    seen = of.image % HELD_OUT != 0
    log_p, num_features = of.x[:, -NUM_EXTRA], of.x.shape[1] - NUM_EXTRA
    head, plain = (
        Head.fitted(of.x[seen, :width], of.generated[seen], log_p[seen]) for width in (num_features + NUM_EXTRA, num_features)
    )
    x, generated = of.x[~seen], of.generated[~seen]
    scores = {"AUC of -log p": -log_p[~seen], "of features only": plain(x[:, :num_features]), "of the head": head(x)}
    return head, {name: auc(score, generated) for name, score in scores.items()}


def candidates(etas: list[float], features: LastFeatures, heads: list[Head]) -> Iterator[tuple[str, Policy, int]]:
    """Yield every policy with its name and how often it calls the network in a step."""
    yield "confidence", Confidence(), 1
    yield "halton", Halton(), 1
    for eta in etas:
        yield f"p2 {eta:g}", PathPlanning(eta=eta), 1
    for eta in etas:
        yield f"critic {eta:g}", Critic(head=heads[0], features=features, eta=eta), 1
    for eta in etas:
        yield f"critic, filled {eta:g}", FilledCritic(head=heads[1], features=features, eta=eta), 2


def measured(made: Study, settings: DecodeSettings, seeds: int) -> dict[str, Spread]:
    """Return the scores of composited images over the decoding seeds."""
    cells = made.cells(settings, schedules={"run": settings.schedule}, sweet_spots=[settings.num_steps], seeds=seeds)
    (scores,) = (cell.scores for cell in cells if cell.output == "composited")
    return {name: Spread.of(scores[name]) for name in (made.distance, "mae_hole", "diversity_hole")}


def show(value: Any) -> str:
    """Return a value of a row as the table shows it."""
    if isinstance(value, dict):
        return str(Spread.of(value["values"]))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def verdicts(rows: list[dict[str, Any]], score: str) -> Iterator[str]:
    """Yield for each number of calls the critic and the other policy of least mean, and whether the spread tells them apart.

    Both are the best of several on the same images: a gain has to be shown again on others.
    """
    for calls in sorted({row["calls"] for row in rows}):
        sides = [
            [row for row in rows if row["calls"] == calls and row["policy"].startswith("critic") is critic]
            for critic in (True, False)
        ]
        if not all(sides):
            continue
        best, other = (min(side, key=lambda row: row[score]["mean"]) for side in sides)
        found, beside = (Spread.of(row[score]["values"]) for row in (best, other))
        told = {True: "more than the spread", False: "within the spread", None: "spread not known"}[found.exceeds(beside)]
        yield (
            f"{calls} calls: {best['policy']} {found}, {other['policy']} {beside}: "
            f"{found.mean / beside.mean - 1:+.1%}, {told}"
        )  # fmt: skip


if __name__ == "__main__":
    main()
