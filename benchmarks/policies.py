"""Decoding policies on one checkpoint: policy x steps, with quality, diversity of the seeds' fills, and time.

    python -m benchmarks.policies runs/cosine/RUN
    python -m benchmarks.policies RUN --policies confidence halton eb --steps 4 8 16 --seeds 3 --images 64 --token-temperature 1.0

Policies are the files of conf/decode/policy. `moment` and `vectors` set the tokens' temperature themselves. fd_tokenizer is the
Frechet distance of composited images in features of the run's tokenizer. `seconds` is the time per image of decoding the tokens
of a batch of 16, median of five after a warm-up. Prints a Markdown table and writes nothing.
"""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from maskgit_lab.assembly.config import build, config_dir
from maskgit_lab.assembly.load import load_splits
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.features import TokenizerFeatures
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.grid import Grid, evaluate_grid
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.evaluation.truth import Truth, read_truth
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.filling import decode_masked, read_masked
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.reporting.tables import render_markdown

HEADERS = ["policy", "T", "fd_tokenizer", "mae_hole", "best_mae_hole", "diversity_hole", "seconds"]
FOLDER = Path(config_dir()) / "decode" / "policy"


def main() -> None:
    """Measure every policy at every number of steps and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of maskgit_lab.train")
    parser.add_argument("--policies", nargs="+", default=sorted(path.stem for path in FOLDER.glob("*.yaml")))
    parser.add_argument("--steps", nargs="+", type=int, default=[4, 8, 16])
    parser.add_argument("--seeds", type=int, default=3, help="candidates for each hole, at least 2")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--token-temperature", type=float, default=0.0, help="0 = the most likely token")
    parser.add_argument("--schedule", help="option of the group mask_schedule; default: the run's")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "maskgit_lab")
    args = parser.parse_args()
    if args.seeds < 2:
        parser.error("--seeds must be at least 2: a single fill has no diversity")
    filler = Inpainter.from_run(args.run).filler
    whole = load_splits(args.run).test
    assert whole.truth is not None
    images, holes, true = (array[: args.images] for array in (whole.images, whole.holes, whole.truth))
    test = InpaintSet(images, holes, whole.names[: args.images], true, "part")
    extractor, device = TokenizerFeatures(tokenizer=filler.tokenizer), str(filler.tokenizer.device)
    truth = read_truth(true, holes, extractor, cache=args.cache, batch_size=64, device=device)
    schedule = build(OmegaConf.load(FOLDER.parents[1] / "mask_schedule" / f"{args.schedule}.yaml")) if args.schedule else None
    rows = []
    for name in args.policies:
        policy = build(OmegaConf.load(FOLDER / f"{name}.yaml"))
        changes: dict[str, Any] = {"schedule": schedule} if schedule else {}
        changes["token_temperature"] = 0.0 if policy.sets_token_temperature else args.token_temperature
        for steps in args.steps:
            settings = dataclasses.replace(
                filler.settings, policy=policy, num_steps=steps, sweet_spot=None, refresh_every=None, **changes
            )
            scores = measured(filler, test, truth, settings, args.seeds)
            rows.append([name, str(steps), *scores, f"{seconds(filler, test, settings):.4f}"])
            print(*rows[-1], flush=True)
    print("\n" + render_markdown(HEADERS, rows))
    print(
        escaped(
            f"{len(test)} images, {args.seeds} seeds, tokens at temperature {args.token_temperature:g}, {where_measured(filler)}"
        )
    )


def measured(filler: Filler, test: InpaintSet, truth: Truth, settings: DecodeSettings, seeds: int) -> list[str]:
    """Return the scores of the composited images as text."""
    grid = Grid(settings=settings, schedules={"run": settings.schedule}, sweet_spots=[settings.num_steps], seeds=list(range(seeds)))
    scores = evaluate_grid(filler, test, truth, grid, batch_size=64).cells[-1].scores
    return [str(Spread.of(scores[name])) for name in HEADERS[2:-1]]


def seconds(filler: Filler, test: InpaintSet, settings: DecodeSettings, *, repeats: int = 5) -> float:
    """Return the median seconds per image of decoding the tokens of one batch."""
    images, holes = (torch.from_numpy(np.array(array[:16])) for array in (test.images, test.holes))
    masked = read_masked(filler.model, filler.tokenizer, images, holes, mask_dilation=settings.mask_dilation)
    times = []
    for _ in range(repeats + 1):
        generators = image_generators(0, "decode", range(len(images)))
        start = time.perf_counter()
        decode_masked(filler.model, masked, settings=settings, generators=generators).tokens.cpu()
        times.append(time.perf_counter() - start)
    return sorted(times[1:])[repeats // 2] / len(images)


def where_measured(filler: Filler) -> str:
    """Return in words where it was measured."""
    return f"{filler.tokenizer.device}, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    main()
