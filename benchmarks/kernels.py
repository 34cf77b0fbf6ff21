"""What each part of `maskgit_lab.fast` gives, end to end: the same work without it, in turns. Less than a tenth, and it should go.

A part that this processor does not use has no row: those for bf16 need a processor that multiplies in it.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.against_listing import NUM_STEPS, Bench, TrainingStep, our_table
from benchmarks.measure import paired
from benchmarks.rows import Row
from benchmarks.subjects import Subject, pictures, subject
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.fast import attention, dropout, positions, prediction, predictors, projection
from maskgit_lab.fast.model import FastModel
from maskgit_lab.models.filling import fill_holes
from maskgit_lab.models.masked_token_model import MaskedTokenModel

Without = Callable[[], AbstractContextManager[object]]


def kernels(bench: Bench, size: str) -> Iterator[Row]:
    """Compare a training step, a decode and a table with each part and without it."""
    made, plain = subject(size, bench.device), subject(size, bench.device)
    plain.tokenizer.model = plain.vqgan  # convolutions as they are written
    images, holes = pictures(bench.num_images, bench.device)
    step = TrainingStep(made, bench, made.tokenizer.encode(images[: bench.batch_size]))
    works: dict[str, Callable[[Subject], object]] = {
        f"training step, batch {bench.batch_size}, {size}": lambda _: _training(made, step),
        f"decode {bench.num_images} images, T = {NUM_STEPS}, {size}": lambda side: _decode(side, bench, images, holes),
        f"table, {bench.num_images} images, {size}": lambda side: our_table(side, bench, images, holes),
    }
    bf16 = bench.autocast == torch.bfloat16 and bench.device.type == "cpu"
    for work, run in works.items():
        training = work.startswith("training")
        made.model.train(training)
        for part, without in _parts(bf16=bf16, training=training).items():
            other = plain if part == "Winograd" else made
            if part == "Winograd" and (training or size != "lab"):
                continue  # tokens are cached in training; small tokenizers have no convolution that gains

            def leave_out(other: Subject = other, without: Without = without, run=run) -> None:  # type: ignore[no-untyped-def]
                with without():
                    run(other)

            timed = paired(lambda run=run: run(made), leave_out, pairs=bench.pairs, device=bench.device)
            yield Row.of(work, f"without {part}", timed)


def _parts(*, bf16: bool, training: bool) -> dict[str, Without]:
    """Return what can be left out here, and how."""
    both: dict[str, Without] = {
        "fast, all of it": _all,
        "packed hidden rows": _whole_grids,
        "rows filled up to round numbers": lambda: _patches(
            (positions, "round_up", lambda count: count), (attention, "round_up", lambda count: count)
        ),
    }
    if training:
        both["dropout by NumPy"] = lambda: _patches((dropout, "_AS_INTEGERS", {}))
        if bf16:
            both["attention of our own"] = lambda: _patches((attention, "_takes_own_way", lambda _: False))
        return both
    both |= {
        "memory from step to step": lambda: _patches((prediction.ExactLogits, "__call__", _forgetful)),
        "images leaving the batch": lambda: _patches((predictors.PackedPredictor, "_leave", _stay)),
        "a first step for all": lambda: _patches((predictors.FastPredictors, "at_once", lambda _: None)),
        "Winograd": ExitStack,
    }
    if bf16:
        both["attention of our own"] = lambda: _patches((attention, "_takes_own_way", lambda _: False))
        both["fused products"] = lambda: _patches((projection, "_linear_pointwise", None))
    return both


def _training(made: Subject, step: TrainingStep) -> None:
    made.model.train()
    step()


def _decode(side: Subject, bench: Bench, images: Tensor, holes: Tensor) -> None:
    fill_holes(
        side.model, side.tokenizer, images, holes, settings=DecodeSettings(schedule=Cosine(), num_steps=NUM_STEPS),
        generators=image_generators(0, "decode", range(len(images))), autocast=bench.autocast,
    )  # fmt: skip


def _patches(*changes: tuple[object, str, object]) -> AbstractContextManager[object]:
    stack = ExitStack()
    for where, name, value in changes:
        stack.enter_context(patch.object(where, name, value))
    return stack


def _all() -> AbstractContextManager[object]:
    """Networks and loop as they are written; the tokenizer keeps its convolutions."""
    return _patches(
        *(
            (FastModel, name, getattr(MaskedTokenModel, name))
            for name in ("hidden_logits", "predictors", "weights_fixed")
        )
    )


def _whole_grids() -> AbstractContextManager[object]:
    """The last block and the head on every position, everything else as it is."""

    def through(self, x: Tensor, where: positions.Positions, projected: Tensor | None = None) -> Tensor:  # type: ignore[no-untyped-def]
        for block in self.blocks:
            x, projected = block.remembering(x, projected=projected)[0], None
        return where.take(self.plain.head(x) @ self.plain.token_embedding.weight.T + self.plain.bias)

    from maskgit_lab.fast.transformer import FastTransformer

    return _patches((FastTransformer, "_through", through))


def _forgetful(self: prediction.ExactLogits, tokens: Tensor, hidden: positions.Positions) -> Tensor:
    first, self.first_logits = self.first_logits, None
    return self.transformer.logits(tokens, self.context, hidden) if first is None else first


def _stay(self: predictors.PackedPredictor, device: torch.device) -> list[int]:
    counts: list[int] = copy.copy(self.plan[self.step]).tolist()
    self.step += 1
    return counts
