"""Whether a discriminator learns: it is asked to tell images from a run's reconstructions of them, which do not move.

    python -m benchmarks.discriminator RUN --squeezenet squeezenet1_0.pth
    python -m benchmarks.discriminator RUN --rates 1e-4 1e-3 --steps 300          # a PatchGAN only

One that cannot learn this in some hundred steps says nothing to a generator that learns beside it. Each is trained as in stage 1,
at every rate, without and with DiffAugment. Prints a Markdown table of its hinge loss over the steps (1 where it knows nothing),
and how many of images that it has not seen get the right sign: 50 % where it guesses.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from maskgit_lab.assembly.discriminator import build_discriminator
from maskgit_lab.assembly.load import load_splits
from maskgit_lab.core.randomness import generator
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.machine.denormals import flush_denormals
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.reporting.tables import render_markdown
from maskgit_lab.training.adversary import Adversary, AdversarySettings
from maskgit_lab.training.optim import AdamSettings

MODELS = "maskgit_lab.models"
SIZES = {"num_filters": 32, "num_layers": 2, "normalisation": "group"}
PATCHES: dict[str, Any] = {"_target_": f"{MODELS}.discriminator.PatchDiscriminator", **SIZES}
PARTS = 5  # columns of losses
UNSEEN = 0.1  # share of the images


def main() -> None:
    """Train each discriminator at each rate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of maskgit_lab.train")
    parser.add_argument("--squeezenet", type=Path, help="torchvision's squeezenet1_0 state dict: heads on its features, too")
    parser.add_argument("--rates", nargs="+", type=float, default=[1e-4, 2e-4, 1e-3, 2e-3])
    parser.add_argument("--images", type=int, default=1500, help="training images and as many reconstructions")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()
    if args.steps < PARTS:
        parser.error(f"--steps must be at least {PARTS}")
    flush_denormals()
    tokenizer = Inpainter.from_run(args.run, decoder="plain").filler.tokenizer
    real, made = pairs(tokenizer, load_splits(args.run).train.images[: args.images])
    kinds = {"PatchGAN": PATCHES}
    if args.squeezenet:
        heads = {"_target_": f"{MODELS}.projected_discriminator.ProjectedDiscriminator", "weights": str(args.squeezenet)}
        kinds["heads on SqueezeNet"] = heads
    rows = []
    for name, node in kinds.items():
        for rate in args.rates:
            for augmented in (False, True):
                torch.manual_seed(0)
                network = build_discriminator(node, mean=tokenizer.mean, std=tokenizer.std)
                assert network is not None
                settings = AdversarySettings(gan_lr=rate, gan_augment=augmented)
                losses, right = learned(network, settings, real, made, steps=args.steps, batch_size=args.batch_size)
                means = [f"{part.mean():.3f}" for part in np.array_split(losses, PARTS)]
                rows.append([name, f"{rate:g}", "yes" if augmented else "no", *means, f"{100 * right:.0f} %"])
                print(*rows[-1], flush=True)
    steps = [f"to step {part[-1] + 1}" for part in np.array_split(np.arange(args.steps), PARTS)]
    print("\n" + render_markdown(["discriminator", "rate", "DiffAugment", *steps, "right"], rows))


def pairs(tokenizer: FrozenTokenizer, images: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return images (n, H, W, 3) uint8 and their reconstructions, both normalised (n, 3, H, W)."""
    real = torch.from_numpy(np.array(images)).to(tokenizer.device)
    made = torch.cat([tokenizer.decode(tokenizer.encode(part)) for part in real.split(64)])
    mean, std = (torch.tensor(list(value), device=made.device).view(1, -1, 1, 1) for value in (tokenizer.mean, tokenizer.std))
    return tokenizer.normalised(real), (made - mean) / std


def learned(
    network: nn.Module, settings: AdversarySettings, real: Tensor, made: Tensor, *, steps: int, batch_size: int
) -> tuple[np.ndarray, float]:  # fmt: skip
    """Train a discriminator on pairs; return its loss in every step, and the share of unseen images with the right sign."""
    adversary = Adversary(network.to(real.device), settings, seed=0)
    optimizer, scheduler = adversary.optimizer(AdamSettings(betas=(0.9, 0.99)), steps)
    seen, noise, losses = len(real) - max(1, int(UNSEEN * len(real))), generator(0, "discriminator"), []
    for step in range(steps):
        first, second = torch.randint(seen, (2, batch_size), generator=noise)
        loss, _ = adversary.discriminator_loss(real[first], made[second], step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        above, below = (network(images[seen:]).flatten(1).mean(1) for images in (real, made))
    return np.array(losses), float(torch.cat([above > 0, below < 0]).float().mean())


if __name__ == "__main__":
    main()
