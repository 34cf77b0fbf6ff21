"""Sets of images: plain arrays with names and a fingerprint, the same for every source of data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from maskgit_lab.core.pixels import HOLE_GREY


@dataclass(frozen=True)
class ImageSet:
    """Images of one split."""

    images: np.ndarray  # (n, H, W, 3) uint8, in memory or memory-mapped
    names: tuple[str, ...]  # unique
    fingerprint: str  # hex digest of what the pixels depend on

    def __post_init__(self) -> None:
        _require_named_images(self.images, self.names, "an image set")

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class InpaintSet:
    """Images with holes to fill."""

    images: np.ndarray  # (n, H, W, 3) uint8, holes already grey
    holes: np.ndarray  # (n, H, W) bool, True = hole
    names: tuple[str, ...]
    truth: np.ndarray | None  # (n, H, W, 3) uint8, None when unknown
    fingerprint: str

    @classmethod
    def of(cls, truth: np.ndarray, holes: np.ndarray, names: tuple[str, ...], fingerprint: str) -> Self:
        """Return images whose truth is known, with their holes painted grey."""
        return cls(paint_holes(truth, holes), holes, names, truth, fingerprint)

    def __post_init__(self) -> None:
        _require_named_images(self.images, self.names, "an inpaint set")
        if self.holes.dtype != np.bool_ or self.holes.shape != self.images.shape[:3]:
            raise ValueError(
                f"holes must be bool {self.images.shape[:3]}, one per image, got {self.holes.dtype} {self.holes.shape}"
            )
        if self.truth is not None and self.truth.shape != self.images.shape:
            raise ValueError(f"truth must have the images' shape {self.images.shape}, got {self.truth.shape}")

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class DataSplits:
    """What a data source gives."""

    train: ImageSet
    val: ImageSet
    test: InpaintSet
    description: str  # one line for people and tables: source, split, sizes
    train_holes: np.ndarray | None = None  # (M, H, W) bool, own masks (`data.train_masks`); None = holes are drawn


def _require_named_images(images: np.ndarray, names: tuple[str, ...], what: str) -> None:
    """Raise ValueError unless `images` is uint8 (n, H, W, 3) and has n names."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(f"images must be uint8 (n, H, W, 3), got {images.dtype} {images.shape}")
    if len(names) != len(images):
        raise ValueError(f"{what} needs a name per image, got {len(names)} for {len(images)}")


def paint_holes(images: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Return a copy of uint8 images (n, H, W, 3) with every hole pixel (n, H, W) set to grey."""
    return np.where(holes[..., None], np.uint8(HOLE_GREY), images)


def slices(count: int, size: int) -> Iterator[slice]:
    """Yield the parts of `count` images in their order, `size` at once."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def mirrored_images(images: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return images by index, where index n + i is the mirrored copy of image i of n."""
    chosen = np.array(images[indices % len(images)])
    mirrored = indices >= len(images)
    chosen[mirrored] = chosen[mirrored, :, ::-1]
    return chosen


def unit_range(images: np.ndarray | Tensor) -> Tensor:
    """Return images uint8 (B, H, W, 3) as float (B, 3, H, W) in [0, 1], as metrics take them."""
    tensor = torch.from_numpy(np.array(images)) if isinstance(images, np.ndarray) else images
    return tensor.permute(0, 3, 1, 2).float() / 255
