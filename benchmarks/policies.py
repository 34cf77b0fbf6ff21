"""Decoding policies on one checkpoint: policy x steps x temperature, with quality, diversity of the seeds' fills, and time.

    python -m benchmarks.policies runs/cosine/RUN
    python -m benchmarks.policies RUN --policies confidence halton eb --steps 4 8 16 --seeds 3 --token-temperature 0 0.7 1
    python -m benchmarks.policies RUN --on val --images 747 --inception inception_v3.pth     # where settings are chosen
    python -m benchmarks.policies RUN --out policies.json

Policies are the files of conf/decode/policy. `moment` and `vectors` set the tokens' temperature themselves. The distance is of
composited images, in features of the run's tokenizer or of ImageNet's Inception; `decoded` is that of decoded ones. `seconds` is
the time per image of decoding the tokens of a batch of 16, median of five after a warm-up. The last row is of the true tokens,
which no policy knows: what its fills lack beside it is the tokens' doing, the rest the decoder's. Prints a Markdown table.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from benchmarks.study import Study, add_arguments, record, schedule, study
from maskgit_lab.assembly.config import build, config_dir
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.pixels import composite
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.data.image_set import slices
from maskgit_lab.evaluation.output_scores import OutputScores
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.models.filling import decode_masked, read_masked
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.reporting.tables import render_markdown

SCORES = ["mae_hole", "best_mae_hole", "diversity_hole"]
FOLDER = Path(config_dir()) / "decode" / "policy"


def main() -> None:
    """Measure every policy at every number of steps and temperature, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of maskgit_lab.train")
    parser.add_argument("--policies", nargs="+", default=sorted(path.stem for path in FOLDER.glob("*.yaml")))
    parser.add_argument("--steps", nargs="+", type=int, default=[4, 8, 16])
    parser.add_argument("--token-temperature", nargs="+", type=float, default=[0.0], help="0 = the most likely token")
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--schedule", help="option of the group mask_schedule; default: the run's")
    parser.add_argument("--blend", type=int, default=0, help="mask_blend_pixels")
    parser.add_argument("--out", type=Path, help="a file that gets the figures as JSON")
    add_arguments(parser)
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error("--seeds must be at least 1")
    scored = SCORES if args.seeds > 1 else SCORES[:1]  # a single fill has no diversity
    made = study(args.run, args)
    changes: dict[str, Any] = {"schedule": schedule(args.schedule)} if args.schedule else {}
    headers = ["policy", "T", "temperature", made.distance, "decoded", *scored, "seconds"]
    rows, found = [], []
    for name in args.policies:
        policy = build(OmegaConf.load(FOLDER / f"{name}.yaml"))
        for steps in args.steps:
            for temperature in [0.0] if policy.sets_token_temperature else args.token_temperature:
                settings = dataclasses.replace(
                    made.filler.settings, policy=policy, num_steps=steps, sweet_spot=None, refresh_every=None, **changes,
                    token_temperature=temperature, top_p=args.top_p if temperature else 1.0, mask_blend_pixels=args.blend,
                )  # fmt: skip
                own = "its own" if policy.sets_token_temperature else f"{temperature:g}"
                scores, took = measured(made, settings, args.seeds, scored), seconds(made, settings)
                rows.append([name, str(steps), own, *map(str, scores.values()), f"{took:.4f}"])
                about = {"policy": name, "num_steps": steps, "token_temperature": own, "seconds": took}
                found.append(about | {key: value.as_dict() for key, value in scores.items()})
                print(*rows[-1], flush=True)
    truth = true_tokens(made)
    rows.append(["true tokens", "-", "-", *(str(truth.get(name, "-")) for name in ("composited", "decoded", *scored)), "-"])
    found.append({"policy": "true tokens"} | {key: value.as_dict() for key, value in truth.items()})
    print("\n" + render_markdown(headers, rows))
    print(escaped(f"{len(made.images)} {args.on} images, {args.seeds} seeds, {where_measured(made)}"))
    if args.out:
        args.out.write_text(json.dumps(record(found, images=len(made.images), on=args.on, seeds=args.seeds), indent=2) + "\n")


def measured(made: Study, settings: DecodeSettings, seeds: int, scored: list[str]) -> dict[str, Spread]:
    """Return distances of composited and of decoded images, and the other scores of composited ones, over seeds."""
    found = made.cells(settings, schedules={"run": settings.schedule}, sweet_spots=[settings.num_steps], seeds=seeds)
    by_output = {cell.output: cell.scores for cell in found}
    composited = by_output["composited"]
    values = {"composited": composited[made.distance], "decoded": by_output["decoded"][made.distance]}
    return {name: Spread.of(value) for name, value in (values | {name: composited[name] for name in scored}).items()}


def true_tokens(made: Study) -> dict[str, Spread]:
    """Return the same scores of images whose hidden tokens are the true ones, by the run's decoder."""
    filler, tokenizer = made.filler, made.filler.tokenizer
    device = tokenizer.device
    scores = {name: OutputScores(made.truth, device=str(device)) for name in ("composited", "decoded")}
    for part in slices(len(made.images), made.batch_size):
        truth, grey, holes = (
            torch.from_numpy(np.array(array[part])).to(device)
            for array in (made.truth.images, made.images.images, made.images.holes)
        )  # fmt: skip
        hidden = token_mask(holes, grid=tokenizer.grid)
        decoded = filler.pixels(torch.where(hidden, tokenizer.encode(truth), tokenizer.encode(grey)), grey, holes)
        scores["decoded"].add(decoded, part)
        scores["composited"].add(composite(decoded, grey, holes), part)
    found = {name: score.compute() for name, score in scores.items()}
    values = {name: found[name][made.distance] for name in found} | {"mae_hole": found["composited"]["mae_hole"]}
    return {name: Spread.of([value]) for name, value in values.items()}


def seconds(made: Study, settings: DecodeSettings, *, repeats: int = 5) -> float:
    """Return the median seconds per image of decoding the tokens of one batch."""
    filler = made.filler
    images, holes = (torch.from_numpy(np.array(array[:16])) for array in (made.images.images, made.images.holes))
    masked = read_masked(filler.model, filler.tokenizer, images, holes, mask_dilation=settings.mask_dilation)
    times = []
    for _ in range(repeats + 1):
        generators = image_generators(0, "decode", range(len(images)))
        start = time.perf_counter()
        decode_masked(filler.model, masked, settings=settings, generators=generators).tokens.cpu()
        times.append(time.perf_counter() - start)
    return sorted(times[1:])[repeats // 2] / len(images)


def where_measured(made: Study) -> str:
    """Return in words where it was measured."""
    return f"{made.filler.tokenizer.device}, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    main()
