"""What 128 and 256 pixels cost next to 64: a training step of each stage and a fill, in turns on this machine.

    python -m benchmarks.resolution [tiny|small]

Prints a table of ratios to 64 pixels, the median of five rounds; nothing is trained or written.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from torch.nn import functional as F

from maskgit_lab.assembly.config import build, config_dir
from maskgit_lab.assembly.networks import build_model, decode_settings
from maskgit_lab.assembly.read import read
from maskgit_lab.assembly.schemas import TrainConfig, register
from maskgit_lab.assembly.speed import FAST, at_speed
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.synthetic_cats import render_cats
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.reporting.tables import render_markdown

RESOLUTIONS = (64, 128, 256)
ROUNDS = 5
BATCH = 8


def main() -> None:
    """Measure and print."""
    recipe = sys.argv[1] if len(sys.argv) > 1 else "tiny"
    register()
    pieces = {resolution: work(recipe, resolution) for resolution in RESOLUTIONS}
    took: dict[tuple[int, str], list[float]] = {}
    for number in range(ROUNDS + 1):
        for resolution, parts in pieces.items():
            for name, run in parts.items():
                start = time.perf_counter()
                run()
                if number:  # the first warms up
                    took.setdefault((resolution, name), []).append(time.perf_counter() - start)
    names = list(pieces[RESOLUTIONS[0]])
    median = {key: statistics.median(values) for key, values in took.items()}
    rows = [[str(r), *(f"{median[r, name] / median[RESOLUTIONS[0], name]:.1f}" for name in names)] for r in RESOLUTIONS]
    print(render_markdown([f"recipe={recipe}, pixels", *names], rows))


def work(recipe: str, resolution: int) -> dict[str, Callable[[], object]]:
    """Return what is measured at one resolution: a step of stage 1, of stage 2, and fills, of so many images each."""
    with initialize_config_dir(version_base="1.3", config_dir=config_dir()):
        cfg = compose("train", overrides=[f"recipe={recipe}", f"resolution={resolution}"])
    config = read("train", cfg, [])
    assert isinstance(config, TrainConfig)
    images = render_cats(0, range(BATCH), resolution)
    holes = draw_holes(style="brush", seed=0, indices=range(BATCH), resolution=resolution)
    network, pixels = build(config.tokenizer.model), torch.from_numpy(images)
    tokenizer = FrozenTokenizer(build(config.tokenizer.model), mean=config.tokenizer.mean, std=config.tokenizer.std)
    settings = decode_settings(config)
    model = at_speed(FAST, build_model(config.model, tokenizer), tokenizer, settings)
    normalised, hidden = tokenizer.normalised(pixels), torch.from_numpy(holes)
    filler = Filler(model, tokenizer, settings)
    tokens, masked = tokenizer.encode(pixels), torch.zeros(BATCH, tokenizer.num_image_tokens, dtype=torch.bool)
    masked |= F.max_pool2d(hidden[:, None].float(), resolution // tokenizer.grid).flatten(1) > 0

    def stage_1() -> None:
        output = network(normalised)
        ((output.images - normalised).abs().mean() + output.codebook_loss).backward()

    def stage_2() -> None:
        model.train()
        logits = model.hidden_logits(tokens, masked, model.read_context(pixels, hidden))
        F.cross_entropy(logits, tokens[masked]).backward()

    def fill() -> None:
        filler.fill(np.asarray(images), holes, range(BATCH))

    return {"stage 1, a step": stage_1, "stage 2, a step": stage_2, "a fill": fill}


if __name__ == "__main__":
    main()
