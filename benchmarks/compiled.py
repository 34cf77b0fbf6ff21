"""What `training.compile` does to a training step: every block compiled by torch against the same step as it comes."""

from collections.abc import Iterator

import torch

from benchmarks.against_listing import Bench, TrainingStep
from benchmarks.measure import paired
from benchmarks.rows import Row
from benchmarks.subjects import subject


def compiled(bench: Bench, size: str) -> Iterator[Row]:
    """Compare; compiling itself, which needs a C++ compiler and half a minute on a CPU, is not timed."""
    made, compiled = (subject(size, bench.device) for _ in range(2))
    compiled.model.transformer.compile_blocks()
    tokens = torch.randint(
        made.tokenizer.num_codebook_vectors, (bench.batch_size, made.tokenizer.num_image_tokens), device=bench.device
    )
    timed = paired(TrainingStep(compiled, bench, tokens), TrainingStep(made, bench, tokens), pairs=bench.pairs, device=bench.device)
    yield Row.of(f"training step, compiled, batch {bench.batch_size}, {size}", "as it comes", timed)
