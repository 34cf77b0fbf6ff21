"""Fill the holes of images of any size: cut squares, let the network fill them, paste the hole's pixels back.

Squares of one round are cut before any is pasted, in all images, and filled in batches; the order of images and holes has no
influence. Later rounds, for holes that are filled in pieces, see what earlier ones pasted.
"""

import logging
from collections.abc import Sequence

import numpy as np

from maskgit_lab.repair.filled_photo import FilledPhoto
from maskgit_lab.repair.network import FilledSquares, FillSquares
from maskgit_lab.repair.photo import Photo
from maskgit_lab.repair.settings import Settings
from maskgit_lab.repair.watching import FillWatch, squares_watch

log = logging.getLogger("maskgit_lab")

ENLARGED_MUCH = 4  # times


def fill_photos(
    photos: Sequence[Photo],
    holes: Sequence[np.ndarray],
    numbers: Sequence[int],
    fill: FillSquares,
    *,
    settings: Settings,
    num_samples: int,
    watch: FillWatch | None = None,
) -> list[FilledPhoto]:
    """Fill every hole of every image.

    Args:
        photos: of any size.
        holes: (H, W) bool of each, True = hole.
        numbers: of each image, which choose its noise.
        fill: the network.
        settings: how.
        num_samples: candidates for each image.
        watch: told of every pass of decoding; what it raises ends the fill.

    Returns:
        The images, filled.

    Raises:
        ValueError: when an image has not the network's resolution and the strategy is `original`.
    """
    filled = [
        FilledPhoto(photo, hole, number, settings, num_samples)
        for photo, hole, number in zip(photos, holes, numbers, strict=True)
    ]  # fmt: skip
    _warn_of_enlargement(filled, settings.geometry.resolution)
    first = True
    while tasks := [(image, task) for image, one in enumerate(filled) for task in one.next_tasks()]:
        told = squares_watch(watch, tasks)
        samples = [(0, num_samples)] if first else [(sample, 1) for sample in range(num_samples)]
        answers: list[FilledSquares] = []
        for sample, count in samples:
            images = np.stack([filled[image].cut(task.square, sample) for image, task in tasks])
            squares = np.stack([task.hole for _, task in tasks])
            chosen = [task.number for _, task in tasks]
            answers += fill(images, squares, chosen, first_sample=sample, num_samples=count, watch=told)
            if sample == 0:
                shown = images
        for i, (image, task) in enumerate(tasks):
            filled[image].paste(task, shown[i], [_one_of(answer, i) for answer in answers])
        first = False
    return filled


def _one_of(answer: FilledSquares, i: int) -> FilledSquares:
    part = slice(i, i + 1)
    return FilledSquares(answer.decoded[part], answer.confidence[part], answer.step_images[:, part], answer.step_masks[:, part])


def _warn_of_enlargement(filled: Sequence[FilledPhoto], resolution: int) -> None:
    largest = max((side for one in filled for side in one.sides()), default=0) / resolution
    if largest > ENLARGED_MUCH:
        log.warning(
            f"A fill of {resolution}x{resolution} pixels is enlarged {largest:.1f} times to fit its hole and will look soft: "
            "smaller holes, or a run of a higher resolution, are sharper"
        )
