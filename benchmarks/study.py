"""A run ready to be measured at many settings: on validation images, where settings are chosen, or on test images, once.

What `benchmarks.policies` and `benchmarks.sweet_spot` share.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from benchmarks.rows import machine
from maskgit_lab.assembly.config import build, config_dir
from maskgit_lab.assembly.load import load_splits
from maskgit_lab.assembly.read import load_config
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.data.holes import draw_holes
from maskgit_lab.data.image_set import DataSplits, InpaintSet
from maskgit_lab.evaluation.features import Extractor, InceptionImagenet, TokenizerFeatures
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.evaluation.grid import Cell, Grid, evaluate_grid
from maskgit_lab.evaluation.truth import Truth, read_truth
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.runs.provenance import provenance

VAL_HOLES_SEED = 1_000_003  # of no run: holes that nothing was chosen on


@dataclass(frozen=True)
class Study:
    """Networks, images and truth."""

    filler: Filler
    images: InpaintSet
    truth: Truth
    batch_size: int = 64

    @property
    def distance(self) -> str:
        """Name of the Frechet distance."""
        return f"fd_{self.truth.extractor.name}"

    def cells(
        self, settings: DecodeSettings, *, schedules: dict[str, MaskSchedule], sweet_spots: list[int], seeds: int
    ) -> list[Cell]:
        """Return the composited and decoded cells of a grid."""
        grid = Grid(settings=settings, schedules=schedules, sweet_spots=sweet_spots, seeds=list(range(seeds)))
        return evaluate_grid(self.filler, self.images, self.truth, grid, batch_size=self.batch_size).cells


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what is measured, by command line."""
    parser.add_argument("--on", choices=["val", "test"], default="test", help="val: drawn holes; choose there, report on test")
    parser.add_argument("--hole-share", type=float, nargs=2, metavar=("LOW", "HIGH"), help="of val's holes; default: the run's own")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3, help="candidates for each hole")
    parser.add_argument("--decoder", choices=["plain", "conditional"], help="default: conditional where the run has one")
    parser.add_argument("--checkpoint", default="best", help="best or last")
    parser.add_argument("--inception", type=Path, help="torchvision's inception_v3 state dict; default: features of the tokenizer")
    parser.add_argument("--cut", choices=["mixed_6e", "mixed_7a"], default="mixed_6e")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "maskgit_lab")


def study(run: Path, args: argparse.Namespace) -> Study:
    """Load a run, and the images it is measured on."""
    if args.on == "test" and args.hole_share:
        raise SystemExit("--hole-share is of drawn holes, which --on val has")
    filler = Inpainter.from_run(run, checkpoint=args.checkpoint, decoder=args.decoder).filler
    extractor: Extractor = TokenizerFeatures(tokenizer=filler.tokenizer)
    if args.inception:
        extractor = InceptionImagenet(weights=args.inception, cut=args.cut)
    splits = load_splits(run)
    images = part(splits.test, args.images) if args.on == "test" else val_set(run, splits, args.images, args.hole_share)
    assert images.truth is not None
    device = str(filler.tokenizer.device)
    truth = read_truth(images.truth, images.holes, extractor.to(device), cache=args.cache, batch_size=64, device=device)
    return Study(filler, images, truth)


def part(whole: InpaintSet, count: int) -> InpaintSet:
    """Return the first images of a set."""
    truth = None if whole.truth is None else whole.truth[:count]
    return replace(
        whole, images=whole.images[:count], holes=whole.holes[:count], names=whole.names[:count], truth=truth, fingerprint="part"
    )


def val_set(run: Path, splits: DataSplits, count: int, share: Sequence[float] | None = None) -> InpaintSet:
    """Return validation images with holes of the run's style, which neither training nor the choice of an epoch has seen.

    Without a share of pixels, holes have the run's own: runs that were trained with different ones are compared with one given.
    """
    data, val = load_config(run).data, splits.val
    count, share = min(count, len(val.images)), tuple(share or data["hole_share"])
    holes = draw_holes(
        style=data["hole_style"], share=share, seed=VAL_HOLES_SEED, indices=range(count), resolution=val.images.shape[1]
    )
    kind = f"{val.fingerprint}-study-{count}-{share}"
    return InpaintSet.of(np.ascontiguousarray(val.images[:count]), holes, val.names[:count], kind)


def record(rows: list[dict[str, Any]], **about: Any) -> dict[str, Any]:
    """Return figures with the command that made them, paths cut to their names, versions and the device's name."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    spec = sys.modules["__main__"].__spec__
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    command = " ".join([f"python -m {spec.name}" if spec else Path(sys.argv[0]).name, *words])
    return {"command": command, **about, "machine": machine(device), "provenance": provenance(), "rows": rows}


def schedule(name: str) -> MaskSchedule:
    """Build an option of the group mask_schedule."""
    made: MaskSchedule = build(OmegaConf.load(Path(config_dir()) / "mask_schedule" / f"{name}.yaml"))
    return made
