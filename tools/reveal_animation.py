"""Make docs/images/reveal.webp: painted cats whose holes fill step by step, from a run on the embedded data (`make demo`).

python -m tools.reveal_animation runs/cosine/RUN
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_set import paint_holes
from maskgit_lab.data.synthetic_cats import render_cats
from maskgit_lab.inpainter import Inpainter

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "reveal.webp"
CATS_SEED = 900  # of painted cats that no run has seen: runs take seeds 0, 1, 2, ... of the painter
HOLES_SEED = 4
HOLE_SHARE = (0.12, 0.25)  # least and largest share of the pixels
NUM_CATS = 4
NUM_STEPS = 12
SIDE = 192  # pixels of a cat on the page
GAP = 8  # pixels between cats
FIRST, STEP, LAST = 1200, 220, 2500  # milliseconds of frames
QUALITY = 82  # of WebP


def frames(run: Path) -> list[np.ndarray]:
    """Return the frames, uint8 (SIDE, width, 4): the input, what each step leaves, the result."""
    inpainter = Inpainter.from_run(run, device="cpu", num_steps=NUM_STEPS)
    side = inpainter.resolution
    cats = render_cats(CATS_SEED, range(NUM_CATS), side)
    holes = draw_holes(style="brush", seed=HOLES_SEED, indices=range(NUM_CATS), resolution=side, share=HOLE_SHARE)
    filler = inpainter.filler
    trace = filler.fill(cats, holes, range(NUM_CATS)).trace
    given, where = torch.from_numpy(cats), torch.from_numpy(holes)
    cell = side // filler.tokenizer.grid
    shown = [_row(paint_holes(cats, holes))]
    for tokens, hidden in zip(trace.step_tokens, trace.step_masks, strict=True):
        outputs = filler.pixels(tokens, given, where).cpu().numpy()
        filled = np.where(holes[..., None], outputs, cats)
        cells = hidden.unflatten(-1, (filler.tokenizer.grid, filler.tokenizer.grid)).cpu().numpy()
        left = cells.repeat(cell, 1).repeat(cell, 2) & holes  # pixels whose token is not revealed yet
        shown.append(_row(paint_holes(filled, left)))
    return shown


def _row(images: np.ndarray) -> np.ndarray:
    """Return cats (n, H, W, 3) side by side, with nothing between them: pages are light or dark."""
    large = [np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGBA")) for image in images]
    gap = np.zeros((SIDE, GAP, 4), np.uint8)
    parts = [part for image in large for part in (image, gap)]
    return np.concatenate(parts[:-1], axis=1)


def main() -> None:
    """Write the animation of the run that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of `train` on the embedded data")
    parser.add_argument("--out", type=Path, default=OUT, help="the WebP file")
    arguments = parser.parse_args()
    images = [Image.fromarray(frame) for frame in frames(arguments.run)]
    durations = [FIRST, *[STEP] * (len(images) - 2), LAST]
    images[0].save(
        arguments.out, save_all=True, append_images=images[1:], duration=durations, loop=0, quality=QUALITY, method=6
    )  # fmt: skip
    print(f"{arguments.out}: {len(images)} frames, {arguments.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
