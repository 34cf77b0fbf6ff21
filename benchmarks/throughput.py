"""Training throughput by batch size, as it comes and compiled, beside the listing at the lab's batch and at ten times that."""

import copy
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from benchmarks import listing
from benchmarks.against_listing import Bench, TrainingStep
from benchmarks.arithmetic import training_step
from benchmarks.measure import Paired, repeated, seconds
from benchmarks.rows import Row
from benchmarks.subjects import Subject, subject
from maskgit_lab.assembly.speed import compiled
from maskgit_lab.core.schedules import Cosine

WITH_LISTING = (10, 100)  # batch sizes at which the listing is measured too
LARGER = (200, 300, 400)
# how our step is computed: name -> value of training.compile
WAYS: dict[str, bool | str] = {"as it comes": False, "compiled": True, "reduce-overhead": "reduce-overhead", "graph": "graph"}
IMAGES_TIMED = 1000  # between two looks at the clock, about


def throughput(bench: Bench, size: str) -> Iterator[Row]:
    """Compare per batch size; larger batches as long as they fit."""
    made = subject(size, bench.device)

    def row(way: str, here: Bench, ours: list[float], theirs: list[float], against: str) -> Row:
        images, sides = here.batch_size, {"images_per_second": ours, "their_images_per_second": theirs}
        rates = {name: images / statistics.median(side) for name, side in sides.items()}
        work = f"training, batch {images}, {way}, {size}"
        precision = "fp32" if way.endswith("float32") else here.precision
        operations = training_step(made.flops, images)
        return Row.of(work, against, Paired(ours, theirs), operations=operations, precision=precision, extra=rates)

    for batch_size in WITH_LISTING:
        here = replace(bench, batch_size=batch_size)
        theirs = _timed(_listing_step(made, here), here, steps=max(2, 100 // batch_size))
        yield row("as it comes, float32", here, _ours(made, replace(here, autocast=None), False), theirs, "listing")
        for way, value in WAYS.items():
            if batch_size == WITH_LISTING[0] or value in (False, "graph"):  # compiling takes half a minute, and is for small ones
                yield row(way, here, _ours(made, here, value), theirs, "listing")
    usual = WITH_LISTING[-1]
    reference = _ours(made, replace(bench, batch_size=usual), False)
    for batch_size in LARGER:
        here = replace(bench, batch_size=batch_size)
        try:
            ours = _ours(made, here, False)
        except torch.OutOfMemoryError:
            return
        yield row("as it comes", here, ours, [value * batch_size / usual for value in reference], f"batch {usual}, per image")


def _ours(made: Subject, bench: Bench, value: bool | str) -> list[float]:
    torch._dynamo.reset()
    made = replace(made, model=copy.deepcopy(made.model))
    made = replace(made, model=compiled(made.model, value, recorded=value == "graph"))
    shape = (bench.batch_size, made.tokenizer.num_image_tokens)
    tokens = torch.randint(made.tokenizer.num_codebook_vectors, shape, device=bench.device)
    return _timed(TrainingStep(made, bench, tokens), bench, steps=max(2, IMAGES_TIMED // bench.batch_size))


def _listing_step(made: Subject, bench: Bench) -> Callable[[], object]:
    images = torch.randn(bench.batch_size, 3, made.tokenizer.resolution, made.tokenizer.resolution, device=bench.device)
    transformer = copy.deepcopy(made.listing).train()
    optimizer = torch.optim.Adam(transformer.parameters(), lr=1e-4)
    return lambda: listing.training_step(transformer, made.vqgan, optimizer, images, Cosine())


def _timed(step: Callable[[], object], bench: Bench, *, steps: int) -> list[float]:
    """Return seconds per step, measured several times after some that are not."""
    repeated(step, 3)
    return [seconds(lambda: repeated(step, steps), bench.device) / steps for _ in range(bench.pairs)]
