"""A fill while it is made: after every pass of decoding, which tokens are there and where in the image they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from maskgit_lab.repair.filled_photo import Task
from maskgit_lab.repair.network import SquaresNow, WatchSquares
from maskgit_lab.repair.photo import Box


@dataclass(frozen=True, eq=False)
class CropNow:
    """A square of an image in the middle of a fill. `box`, `part` and `pasted` are those of the `Crop` that it becomes."""

    image: int  # which of the images
    number: int  # its place in `Filled.crops[image]`
    box: tuple[int, int, int]  # left, top and side in pixels of the image
    part: Box  # left, top, right, bottom in pixels of the image
    pasted: np.ndarray = field(repr=False)  # (h, w) bool: pixels that the image will get from here, within `part`
    hidden: np.ndarray = field(repr=False)  # (grid, grid) bool: tokens that are still hidden
    confidence: np.ndarray = field(repr=False)  # (grid, grid) float32: probability of each token when it was last chosen
    decoded: Callable[[], np.ndarray] = field(repr=False)  # decodes what is predicted now: (R, R, 3) uint8


@dataclass(frozen=True, eq=False)
class FillNow:
    """What some crops of one candidate are after a pass of decoding."""

    candidate: int
    number: int  # of the pass, from 1
    of: int  # passes of these crops; an adaptive policy may need fewer
    step: int | None  # from 1, the step that this pass ends; None of a pass that is taken again later (time travel)
    crops: list[CropNow]


FillWatch = Callable[[FillNow], None]  # called after each pass; may raise to end the fill


def squares_watch(watch: FillWatch | None, tasks: Sequence[tuple[int, Task]]) -> WatchSquares | None:
    """Return what tells `watch` where in their images squares are; each task with the number of its image."""
    if watch is None:
        return None

    def tell(now: SquaresNow) -> None:
        crops = [_crop(now, i, image, task) for i, (image, task) in enumerate(tasks[now.part])]
        watch(FillNow(now.sample, now.number, now.of, now.step, crops))

    return tell


def _crop(now: SquaresNow, i: int, image: int, task: Task) -> CropNow:
    return CropNow(
        image=image,
        number=task.place,
        box=task.square.box,
        part=task.part,
        pasted=task.pasted,
        hidden=now.hidden[i],
        confidence=now.confidence[i],
        decoded=lambda: now.decoded()[i],
    )
