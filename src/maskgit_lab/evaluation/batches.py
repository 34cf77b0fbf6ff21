"""Go through a set of images in batches, the largest that fit when no size is given."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

# On two cores 16 images keep every product at full rate and their tiles in the cache; a GPU wants many more.
CPU_BATCH, GPU_BATCH = 16, 1024

Result = TypeVar("Result")


def in_batches(
    count: int, work: Callable[[slice], Result], *, batch_size: int | None, device: torch.device
) -> Iterator[tuple[slice, Result]]:
    """Work through `count` images, batch by batch.

    Args:
        count: images.
        work: does a slice of them; its result must not depend on how the images are divided.
        batch_size: images at once; None = start large and halve whenever the device's memory does not suffice.
        device: where the work is done.

    Yields:
        Which images, and their result.

    Raises:
        torch.OutOfMemoryError: when a batch of the given size, or a single image, does not fit.
    """
    size = batch_size or (CPU_BATCH if device.type == "cpu" else GPU_BATCH)
    start = 0
    while start < count:
        part = slice(start, min(start + size, count))
        try:
            result = work(part)
        except torch.OutOfMemoryError:
            if batch_size is not None or part.stop - part.start == 1:
                raise
            size = (part.stop - part.start) // 2
            torch.cuda.empty_cache()  # the pieces left of the failed batch are too small for the next
            continue
        yield part, result
        start = part.stop
