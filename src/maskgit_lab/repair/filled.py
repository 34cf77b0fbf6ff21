"""What came out of a fill: images as they were given, and the squares that the network saw."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskgit_lab.repair.squares import Square


@dataclass(frozen=True, eq=False)
class Crop:
    """A square part of an image at the network's resolution R, and what the network made of it, for each of K candidates."""

    box: tuple[int, int, int]  # left, top and side in pixels of the image, as a viewer shows it; it may exceed a small image
    image: np.ndarray  # (R, R, 3) uint8, as the network saw it but for the grey under the hole (of candidate 0)
    hole: np.ndarray  # (R, R) bool
    decoded: np.ndarray  # (K, R, R, 3) uint8: the decoder's whole output
    confidence: np.ndarray  # (K, grid, grid) float32: probability of each token when it was chosen, 1 for known ones
    step_images: np.ndarray  # (K, S, R, R, 3) uint8: the prediction after each step; S = 0 without `steps`
    step_masks: np.ndarray  # (K, S, grid, grid) bool: tokens still hidden after each step
    pasted: np.ndarray = field(repr=False)  # (h, w) bool: pixels that the image got from here, within `part`
    part: tuple[int, int, int, int] = (0, 0, 0, 0)  # left, top, right, bottom in pixels of the image

    @property
    def square(self) -> Square:
        """Its place."""
        return Square(*self.box)


@dataclass(frozen=True)
class FilledArrays:
    """Filled images of the network's resolution as arrays."""

    decoded: np.ndarray  # (n, R, R, 3) uint8: the decoder's whole output
    composited: np.ndarray  # (n, R, R, 3) uint8: known pixels put back exactly
    step_images: np.ndarray  # (S, n, R, R, 3) uint8: the prediction after each step; S = 0 without `steps`
    step_masks: np.ndarray  # (S, n, grid, grid) bool: tokens still hidden after each step


@dataclass(frozen=True, eq=False)
class Filled:
    """Filled images.

    `composited` is one image where one was given and a list where several were, or an array where an array (n, H, W, C) was; of
    several candidates a list of that. Every image has the kind, mode and size that it was given in, and its known pixels.
    """

    composited: Any
    crops: list[list[Crop]]  # of each image, in the order in which they were filled
    num_samples: int
    _frame: Callable[[int, int, int | None], Any] = field(repr=False)  # image, candidate, step (None = the result) -> image
    _samples: list[Any] = field(repr=False)  # of each candidate, `composited` of it only

    def reveal(self, image: int = 0, candidate: int = 0) -> list[Any]:
        """Return the image after each decoding step, in its own size: tokens that are still hidden are grey.

        All its crops are shown at the same step. The last frame is the result.

        Raise ValueError when the fill kept no steps.
        """
        return list(self.frames(image, candidate))

    def frames(self, image: int = 0, candidate: int = 0) -> Iterator[Any]:
        """Yield what `reveal` returns, one at a time: of a large image that is a lot of memory."""
        crops = self.crops[image]
        num_steps = max((crop.step_images.shape[1] for crop in crops), default=0)
        if crops and num_steps == 0:
            raise ValueError("this fill kept no steps: inpainter(images, masks, steps=True)")
        for step in (*range(max(0, num_steps - 1)), None):
            yield self._frame(image, candidate, step)

    def arrays(self, candidate: int = 0) -> FilledArrays:
        """Return images of the network's resolution as arrays; raise ValueError when one has another size."""
        for crops in self.crops:
            if len(crops) != 1 or crops[0].box[:2] != (0, 0) or crops[0].box[2] != len(crops[0].image):
                raise ValueError("only images of the run's resolution are one crop; of others take `crops`")
        crops = [crop for (crop,) in self.crops]
        return FilledArrays(
            decoded=np.stack([crop.decoded[candidate] for crop in crops]),
            composited=np.stack([np.asarray(image) for image in self._samples[candidate]]),
            step_images=np.stack([crop.step_images[candidate] for crop in crops], 1),
            step_masks=np.stack([crop.step_masks[candidate] for crop in crops], 1),
        )

    @property
    def decoded(self) -> np.ndarray:
        """`arrays().decoded`."""
        return self.arrays().decoded

    @property
    def step_images(self) -> np.ndarray:
        """`arrays().step_images`."""
        return self.arrays().step_images

    @property
    def step_masks(self) -> np.ndarray:
        """`arrays().step_masks`."""
        return self.arrays().step_masks
