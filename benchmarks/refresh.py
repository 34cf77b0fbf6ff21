"""Partial refresh on a trained run: how much faster, which tokens differ from the exact decode, what the pictures lose."""

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.against_listing import Bench
from benchmarks.measure import paired
from benchmarks.rows import Row
from maskgit_lab.assembly.load import load_splits
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.pixels import composite, to_uint8
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.data.image_set import unit_range
from maskgit_lab.evaluation.hole_metrics import HolePSNR
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.models.filling import Masked, decode_masked, read_masked

PERIODS = (2, 3, 7)
RINGS = (0, 1)
MAX_PICTURES = 64


def refresh(bench: Bench, run: Path) -> Iterator[Row]:
    """Compare the steps of the transformer with each period against the exact decode of the same run."""
    filler = Inpainter.from_run(run, device=str(bench.device)).filler
    test = load_splits(run).test
    assert test.truth is not None
    images, holes, truth = (
        torch.from_numpy(np.array(array[:MAX_PICTURES])).to(bench.device) for array in (test.images, test.holes, test.truth)
    )
    masked = read_masked(filler.model, filler.tokenizer, images, holes, autocast=bench.autocast)

    def decode(every: int | None, ring: int = 0, seed: int = 0) -> torch.Tensor:
        settings = DecodeSettings(schedule=filler.settings.schedule, num_steps=7, refresh_every=every, refresh_ring=ring)
        generators = image_generators(seed, "decode", range(len(images)))
        return decode_masked(filler.model, masked, settings=settings, generators=generators, autocast=bench.autocast).tokens

    exact, other_seed = decode(None), decode(None, seed=1)
    for every, ring in itertools.product(PERIODS, RINGS):
        tokens = decode(every, ring)
        timed = paired(
            partial(decode, every, ring), partial(decode, None),
            pairs=bench.pairs, device=bench.device, warm=False,
        )  # fmt: skip
        yield Row.of(
            f"7 steps of {len(images)} images, partial refresh {every}, ring {ring}", "exact", timed,
            extra={
                "hidden_tokens_equal": _agreement(tokens, exact, masked),
                "hidden_tokens_equal_of_two_exact_seeds": _agreement(other_seed, exact, masked),
                "psnr_hole": _psnr(filler.tokenizer, masked, tokens, truth),
                "psnr_hole_exact": _psnr(filler.tokenizer, masked, exact, truth),
                "psnr_hole_exact_other_seed": _psnr(filler.tokenizer, masked, other_seed, truth),
            },
        )  # fmt: skip


def _agreement(a: torch.Tensor, b: torch.Tensor, masked: Masked) -> float:
    return float((a == b)[masked.mask].float().mean())


def _psnr(tokenizer: object, masked: Masked, tokens: torch.Tensor, truth: torch.Tensor) -> float:
    filled = composite(to_uint8(tokenizer.decode(tokens)), masked.images, masked.holes)  # type: ignore[attr-defined]
    metric = HolePSNR()
    metric.update(unit_range(filled.cpu()), unit_range(truth.cpu()), masked.holes.cpu())
    return float(metric.compute())
