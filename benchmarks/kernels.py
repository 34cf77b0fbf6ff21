"""What each part of `maskgit_lab.fast` gives, end to end: the same work without it, in turns. Less than a tenth, and it should go.

A part that this processor does not use has no row: those for bf16 need a processor that multiplies in it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.against_listing import NUM_STEPS, Bench, TrainingStep, our_table
from benchmarks.measure import paired
from benchmarks.rows import Row
from benchmarks.subjects import Subject, pictures, subject
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.fast import dropout, predictors, projection, transformer
from maskgit_lab.fast.model import FastModel
from maskgit_lab.fast.positions import Positions
from maskgit_lab.fast.transformer import FastTransformer
from maskgit_lab.models.filling import fill_holes
from maskgit_lab.models.masked_token_model import MaskedTokenModel

Without = Callable[[], AbstractContextManager[object]]
Work = Callable[[Subject], object]


def kernels(bench: Bench, size: str) -> Iterator[Row]:
    """Compare a training step, a decode and a table with each part and without it."""
    made, plain = subject(size, bench.device), subject(size, bench.device)
    plain.tokenizer.model = plain.vqgan  # convolutions as they are written
    images, holes = pictures(bench.num_images, bench.device)
    step = TrainingStep(made, bench, made.tokenizer.encode(images[: bench.batch_size]))
    works: dict[str, Work] = {
        f"training step, batch {bench.batch_size}, {size}": lambda _: _training(made, step),
        f"decode {bench.num_images} images, T = {NUM_STEPS}, {size}": lambda side: _decode(side, bench, images, holes),
        f"table, {bench.num_images} images, {size}": lambda side: our_table(side, bench, images, holes),
    }
    for work, run in works.items():
        training = work.startswith("training")
        made.model.train(training)
        for part, without in _parts(bench, training=training).items():
            if part == "Winograd" and size != "lab":
                continue  # small tokenizers have no convolution that gains
            other = plain if part == "Winograd" else made
            timed = paired(partial(run, made), partial(_leaving_out, without, run, other), pairs=bench.pairs, device=bench.device)
            yield Row.of(work, f"without {part}", timed)


def _leaving_out(without: Without, run: Work, side: Subject) -> None:
    with without():
        run(side)


def _parts(bench: Bench, *, training: bool) -> dict[str, Without]:
    """Return what can be left out here, and how."""
    bf16 = bench.autocast == torch.bfloat16 and bench.device.type == "cpu"
    both: dict[str, Without] = {"fast, all of it": _all, "packed hidden rows": _whole_grids}
    if training:
        both["dropout by NumPy"] = lambda: _patches((dropout, "_AS_INTEGERS", {}))
        if bf16:
            both["attention by products"] = _fused_attention
        elif bench.device.type == "cpu" and bench.autocast is None:
            both["attention with dropout"] = lambda: _patches((transformer, "gains_in", lambda *_: False))
        return both
    both |= {
        "one first step for all decodes": lambda: _patches((predictors.FastPredictors, "at_once", lambda _: None)),
        "Winograd": ExitStack,
    }
    if bf16:
        both["attention by products"] = _fused_attention
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
        *((FastModel, name, getattr(MaskedTokenModel, name)) for name in ("hidden_logits", "predictors", "weights_fixed"))
    )


def _whole_grids() -> AbstractContextManager[object]:
    """The last block and the head on every position, everything else as it is."""

    def logits(self: FastTransformer, tokens: Tensor, context: Tensor | None, where: Positions) -> Tensor:
        x = self._embedding(tokens, context)
        for block in self.blocks:
            x = block.remembering(x)[0]
        return where.take(F.linear(self.plain.head(x), self.plain.token_embedding.weight) + self.plain.bias)

    return _patches((FastTransformer, "logits", logits))


def _fused_attention() -> AbstractContextManager[object]:
    """torch's fused attention in place of products."""

    def attend(q: Tensor, k: Tensor, v: Tensor, *, dropout: float = 0.0) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)

    return _patches((transformer, "attend", attend))
