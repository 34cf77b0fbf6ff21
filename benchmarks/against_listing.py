"""This package against the lab's procedure: a training step, a decode of test pictures, the table of schedules and sweet spots."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch

from benchmarks import arithmetic, listing
from benchmarks.measure import paired, repeated, seconds
from benchmarks.rows import Row, instruction_set
from benchmarks.subjects import Subject, pictures, subject
from benchmarks.targets import target
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.losses import masked_cross_entropy
from maskgit_lab.core.masking import sample_mvtm_mask
from maskgit_lab.core.pixels import composite, to_uint8
from maskgit_lab.core.randomness import generator, image_generators
from maskgit_lab.core.schedules import Cosine, Linear, Square
from maskgit_lab.models.filling import Fill, decode_masked, fill_holes, predict_at_once, read_masked
from maskgit_lab.training.optim import AdamSettings

NUM_STEPS = 7
SCHEDULES = (Linear(), Cosine(), Square())
SWEET_SPOTS = (3, 5, 7)
REFRESH_EVERY = 7  # one full pass, then the hole alone


@dataclass(frozen=True)
class Bench:
    """How to measure."""

    device: torch.device
    pairs: int
    autocast: torch.dtype | None  # ours; the listing is float32
    num_images: int = 16
    batch_size: int = 10  # of training
    listing_images: int | None = None  # how many of them the listing decodes per pair; None = see _share

    @property
    def steps(self) -> int:
        """Training steps that are timed together: a GPU is given the next one while it works."""
        return 20 if self.device.type == "cuda" else 1

    @property
    def precision(self) -> str:
        """The name under which the rate of our products is measured."""
        return "bf16" if self.autocast == torch.bfloat16 else "fp32"

    def target(self, key: str) -> float | None:
        """Return what the row is to reach here."""
        return target(key, instruction_set(self.device))


class TrainingStep:
    """Our training step: cached tokens, hidden positions only, fused optimiser, measured precision."""

    def __init__(self, made: Subject, bench: Bench, tokens: torch.Tensor) -> None:
        self.model = made.model.train()
        self.device, self.autocast, self.tokens = bench.device, bench.autocast, tokens
        self.optimizer, _ = AdamSettings(lr=1e-4, betas=(0.9, 0.999)).build(self.model, lambda: 1)
        self.step = 0

    def __call__(self) -> None:
        """Take one step."""
        self.step += 1
        everywhere = torch.ones(self.tokens.shape, dtype=torch.bool)  # on the host, as training.module draws it
        mask = sample_mvtm_mask(everywhere, schedule=Cosine(), generator=generator(0, "mask", self.step))
        masked = self.tokens.masked_fill(mask.to(self.device, non_blocking=True), self.model.transformer.mask_token_id)
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, dtype=self.autocast, enabled=self.autocast is not None):
            logits = self.model.hidden_logits(masked, mask)
        masked_cross_entropy(logits, self.tokens, mask).loss.backward()
        self.optimizer.step()


def training(bench: Bench, size: str) -> Iterator[Row]:
    """Compare a training step."""
    made = subject(size, bench.device)
    images, holes = pictures(bench.batch_size, bench.device)
    normalised, _ = made.normalised(images, torch.zeros_like(holes))
    tokens = made.vqgan.encode(normalised)
    operations = arithmetic.training_step(made.flops, bench.batch_size)
    operations = replace(operations, multiplied=arithmetic.multiplied(TrainingStep(made, in_float32(bench), tokens)))
    ours = TrainingStep(made, bench, tokens)
    theirs = made.listing.train()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=1e-4)
    timed = paired(
        partial(repeated, ours, bench.steps),
        partial(repeated, lambda: listing.training_step(theirs, made.vqgan, optimizer, normalised, Cosine()), bench.steps),
        pairs=bench.pairs,
        device=bench.device,
    ).per(bench.steps)
    key = f"training_{size}"
    yield Row.of(
        f"training step, batch {bench.batch_size}, {size}", "listing", timed, key=key, target=bench.target(key),
        operations=operations, precision=bench.precision,
    )  # fmt: skip


def decoding(bench: Bench, size: str) -> Iterator[Row]:
    """Compare a decode of test pictures, exact and with partial refresh, from pixels to pixels."""
    made = subject(size, bench.device)
    images, holes = pictures(bench.num_images, bench.device)
    normalised, masks = made.normalised(images, holes)
    share = _share(bench, size, per_pair=2)
    some = slice(0, round(share * bench.num_images))
    cuda = bench.device.type == "cuda"
    hidden = masks.float().mean().item()

    def ours(settings: DecodeSettings, autocast: torch.dtype | None) -> Fill:
        generators = image_generators(0, "decode", range(bench.num_images))
        return fill_holes(made.model, made.tokenizer, images, holes, settings=settings, generators=generators, autocast=autocast)

    variants = [(None, bench.autocast), (REFRESH_EVERY, bench.autocast)]
    if cuda and bench.autocast:
        variants.append((None, None))
    for refresh_every, autocast in variants:
        settings = DecodeSettings(schedule=Cosine(), num_steps=NUM_STEPS, refresh_every=refresh_every)
        timed = paired(
            partial(ours, settings, autocast),
            lambda: listing.decode_images(
                made.listing, made.vqgan, normalised[some], masks[some], schedule=Cosine(), num_steps=NUM_STEPS
            ),
            pairs=bench.pairs,
            device=bench.device,
            share=share,
        )  # fmt: skip
        operations = arithmetic.decode(made.flops, bench.num_images, NUM_STEPS, hidden=hidden if refresh_every else None)
        key = f"decoding_{'refresh' if refresh_every else 'exact'}_{size}"
        yield Row.of(
            f"decode {bench.num_images} images, T = {NUM_STEPS}, {_how(refresh_every)}{_in(autocast, bench)}, {size}",
            "listing",
            timed,
            key=key,
            target=bench.target(key),
            operations=replace(operations, multiplied=arithmetic.multiplied(partial(ours, settings, None))),
            precision=replace(bench, autocast=autocast).precision,
            extra={"images_of_the_listing_per_pair": some.stop, **_parts(made, bench, settings, images, holes)},
        )


def table(bench: Bench, size: str) -> Iterator[Row]:
    """Compare the table: three schedules, three sweet spots, every cell's pictures decoded and composited."""
    made = subject(size, bench.device)
    images, holes = pictures(bench.num_images, bench.device)
    normalised, masks = made.normalised(images, holes)
    share = _share(bench, size, per_pair=1)
    some = slice(0, round(share * bench.num_images))
    timed = paired(
        lambda: our_table(made, bench, images, holes),
        lambda: listing.decode_table(
            made.listing, made.vqgan, normalised[some], masks[some], schedules=SCHEDULES, sweet_spots=SWEET_SPOTS,
            num_steps=NUM_STEPS,
        ),
        pairs=bench.pairs,
        device=bench.device,
        share=share,
        warm=size != "lab" or bench.device.type == "cuda",
    )  # fmt: skip
    cells = len(SCHEDULES) * len(SWEET_SPOTS)
    operations = arithmetic.table(made.flops, bench.num_images, NUM_STEPS, len(SCHEDULES), SWEET_SPOTS)
    products = arithmetic.multiplied(partial(our_table, made, in_float32(bench), images, holes))
    key = f"table_{size}"
    yield Row.of(
        f"Table 1: {cells} cells x {bench.num_images} images, {size}", "listing", timed, key=key, target=bench.target(key),
        operations=replace(operations, multiplied=products), precision=bench.precision,
        extra={"images_of_the_listing_per_pair": some.stop},
    )  # fmt: skip


def our_table(made: Subject, bench: Bench, images: torch.Tensor, holes: torch.Tensor) -> list[torch.Tensor]:
    """Return the composited pictures of every cell, as `evaluate` makes them: read once, first step shared, a trajectory each."""
    cells = []
    with made.model.weights_fixed():
        masked = read_masked(made.model, made.tokenizer, images, holes, autocast=bench.autocast)
        predict_at_once(made.model, masked, autocast=bench.autocast)
        for schedule in SCHEDULES:
            trace = decode_masked(
                made.model, masked, settings=DecodeSettings(schedule=schedule, num_steps=NUM_STEPS),
                generators=image_generators(0, "decode", range(len(images))), autocast=bench.autocast,
            )  # fmt: skip
            for spot in SWEET_SPOTS:
                decoded = to_uint8(made.tokenizer.decode(trace.step_tokens[spot - 1]))
                cells.append(composite(decoded, images, holes))
    return cells


def _parts(made: Subject, bench: Bench, settings: DecodeSettings, images: torch.Tensor, holes: torch.Tensor) -> dict[str, float]:
    """Return where our seconds go: the encoder, the T steps of the transformer, the decoder."""
    masked = read_masked(made.model, made.tokenizer, images, holes, autocast=bench.autocast)
    generators = image_generators(0, "decode", range(len(images)))

    def steps() -> None:
        decode_masked(made.model, masked, settings=settings, generators=generators, autocast=bench.autocast)

    works = {
        "seconds_encoder": lambda: made.tokenizer.encode(images),
        "seconds_transformer": steps,
        "seconds_decoder": lambda: made.tokenizer.decode(masked.tokens),
    }
    return {name: statistics.median(seconds(work, bench.device) for _ in range(2)) for name, work in works.items()}


def in_float32(bench: Bench) -> Bench:
    """Return the same measurement without autocast: for counting products, which do not depend on precision."""
    return replace(bench, autocast=None)


def _share(bench: Bench, size: str, *, per_pair: int) -> float:
    """Return what part of the pictures the listing goes through per pair: at lab size on a CPU each takes seconds."""
    if bench.listing_images is not None:
        return min(bench.listing_images, bench.num_images) / bench.num_images
    slow = size == "lab" and bench.device.type == "cpu"
    return min(per_pair, bench.num_images) / bench.num_images if slow else 1.0


def _in(autocast: torch.dtype | None, bench: Bench) -> str:
    return ", float32" if autocast is None and bench.autocast else ""


def _how(refresh_every: int | None) -> str:
    return "exact" if refresh_every is None else f"partial refresh {refresh_every}"
