"""Throughput as pictures grow: the cost of a picture must not rise when there are 4 and 16 times as many."""

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.against_listing import NUM_STEPS, Bench
from benchmarks.measure import paired
from benchmarks.rows import Row
from benchmarks.subjects import pictures, subject
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation.fill_set import Filler


def scaling(bench: Bench, size: str) -> Iterator[Row]:
    """Compare the cost of a picture in a set of 4 and 16 times 16 pictures with that in a set of 16."""
    made = subject(size, bench.device)
    settings = DecodeSettings(schedule=Cosine(), num_steps=NUM_STEPS)
    filler = Filler(made.model, made.tokenizer, settings, autocast=bench.autocast)
    arrays = [array.cpu().numpy() for array in pictures(16 * bench.num_images, bench.device)]

    def fill(count: int) -> None:
        for _, fills in filler.batches(arrays[0][:count], arrays[1][:count], batch_size=None):
            fills.composited.cpu()

    few = bench.num_images
    for factor in (4, 16):
        timed = paired(
            partial(fill, factor * few), partial(fill, few), pairs=bench.pairs, device=bench.device,
            share=1 / factor,
        )  # fmt: skip
        yield Row.of(
            f"fill {factor * few} images, {size}", f"{factor} x {few} images", timed, key="scaling", target=bench.target("scaling")
        )
    if bench.device.type == "cuda":
        torch.cuda.empty_cache()
