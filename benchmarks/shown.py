"""What predictions gain from tokens of the hole that are shown: where they gain nothing, steps and schedules decide nothing.

    python -m benchmarks.shown RUN
    python -m benchmarks.shown RUN --images 500 --shares 1 0.5 0.05

On validation images with holes of their own. One hidden token in twenty is asked for, always the same ones; of the others under
the hole a share is hidden and the rest are shown, as they are in truth or as codes drawn at random. Prints a Markdown table of
cross entropies in nats, with what the context and the embeddings measure at the network's entrance.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.study import val_set
from maskgit_lab.assembly.load import load_splits
from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.pixels import HOLE_GREY
from maskgit_lab.core.randomness import generator
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.reporting.tables import render_markdown

ASKED = 0.05  # share of the hidden tokens


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of maskgit_lab.train")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--shares", nargs="+", type=float, default=[1.0, 0.75, 0.5, 0.25, ASKED], help="hidden under the hole")
    parser.add_argument("--checkpoint", default="best", help="best or last")
    args = parser.parse_args()
    if not all(ASKED <= share <= 1 for share in args.shares):
        parser.error(f"--shares must be from {ASKED} to 1")
    filler = Inpainter.from_run(args.run, checkpoint=args.checkpoint).filler
    data = val_set(args.run, load_splits(args.run), args.images)
    assert data.truth is not None
    images, holes = (torch.from_numpy(np.array(array)) for array in (data.truth, data.holes))
    rows, sizes = measured(filler, images, holes, args.shares)
    print(render_markdown(["hidden", "shown: true tokens", "shown: random codes"], rows))
    print("\nroot mean squares: " + ", ".join(f"{name} {value:.3g}" for name, value in sizes.items()))


def measured(
    filler: Filler, images: Tensor, holes: Tensor, shares: list[float]
) -> tuple[list[list[str]], dict[str, float]]:  # fmt: skip
    """Return a row of cross entropies for each share, and the sizes of what is added at the entrance."""
    model, tokenizer = filler.model, filler.tokenizer
    images, holes = images.to(tokenizer.device), holes.to(tokenizer.device)
    grey = images.masked_fill(holes[..., None], HOLE_GREY)
    under = token_mask(holes, grid=tokenizer.grid)
    truth = torch.where(under, tokenizer.encode(images), tokenizer.encode(grey))
    noise = generator(0, "shown")
    order = torch.rand(truth.shape, generator=noise).to(truth.device)
    random = torch.randint(tokenizer.num_codebook_vectors, truth.shape, generator=noise).to(truth.device)
    asked, network = under & (order < ASKED), model.transformer
    rows = []
    with torch.no_grad(), model.weights_fixed():
        context = model.read_context(grey, holes)
        for share in shares:
            hidden = under & (order < share)
            row = [f"{share:g}"]
            for shown in (truth, torch.where(under, random, truth)):
                logits = model.hidden_logits(shown.masked_fill(hidden, network.mask_token_id), asked.cpu(), context)
                entropy = F.cross_entropy(logits[:, : network.mask_token_id].float(), truth[asked])
                row.append(f"{entropy.item():.3f}")
            rows.append(row)
        parts = {"token embeddings": network.token_embedding.weight, "positions": network.position_embedding}
        sizes = parts if context is None else {**parts, "context": context}
        return rows, {name: float(part.float().square().mean().sqrt()) for name, part in sizes.items()}


if __name__ == "__main__":
    main()
