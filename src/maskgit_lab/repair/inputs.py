"""What people give: one or many images and masks, as arrays, tensors, images of Pillow or paths."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from maskgit_lab.core.ranges import require_number
from maskgit_lab.data.image_opening import BadImageError, ReadOptions, opened
from maskgit_lab.data.mask_pixels import hole_pixels
from maskgit_lab.repair.photo import ArrayPhoto, Photo
from maskgit_lab.repair.pillow_photo import PillowPhoto

OUTPUTS = ("pil", "numpy", "torch")
CHANNELS = (1, 2, 3, 4)
OPTIONS = ReadOptions(min_side=1)


@dataclass(frozen=True)
class Given:
    """One image, and how its results are given back."""

    photo: Photo
    back: Callable[[Any], Any]  # from what `photo.replaced` returns to the kind that was given


def images_of(images: Any) -> list[Given]:
    """Read images.

    Args:
        images: one or a list or tuple of: array (H, W) or (H, W, C), tensor (H, W), (H, W, C) or (C, H, W), image of Pillow, path;
            or an array or tensor of one more dimension, for many.

    Returns:
        The images.

    Raises:
        ValueError: when one is nothing of that; the message says which.
    """
    return [_given(image, i) for i, image in enumerate(images if are_many(images) else [images])]


def are_many(images: Any) -> bool:
    """Return whether this is several images: a list, or an array or tensor of four dimensions."""
    return isinstance(images, list | tuple) or (isinstance(images, np.ndarray | Tensor) and images.ndim == 4)


def together(made: list[Any], images: Any) -> Any:
    """Return results as their images were given: the only one, or a list, or an array or tensor where they came in one."""
    if not are_many(images):
        return made[0]
    if isinstance(images, list | tuple) or any(isinstance(one, Image.Image) for one in made):
        return made
    if not made:
        return images[:0]
    return torch.stack(made) if isinstance(made[0], Tensor) else np.stack(made)


def holes_of(masks: Any, photos: Sequence[Photo], *, many: bool) -> list[np.ndarray]:
    """Read masks.

    Args:
        masks: of the same kinds as images, one for each, or None: what is transparent in an image is its hole.
        photos: the images.
        many: whether several images were given, in a list or an array.

    Returns:
        (H, W) bool for each image, True = hole.

    Raises:
        ValueError: when their number or size is not that of the images, or one of them is no mask.
    """
    if masks is None:
        return [_transparent(photo, i) for i, photo in enumerate(photos)]
    listed = list(masks) if many and not isinstance(masks, str | os.PathLike | Image.Image) else [masks]
    if len(listed) != len(photos):
        raise ValueError(f"{len(photos)} images and {len(listed)} masks: give one mask for each image")
    holes = []
    for i, (mask, photo) in enumerate(zip(listed, photos, strict=True)):
        hole = _hole(mask, i)
        if hole.shape != (photo.height, photo.width):
            raise ValueError(
                f"mask {i} has {hole.shape[1]}x{hole.shape[0]} pixels, but its image, as a viewer shows it, "
                f"{photo.width}x{photo.height}: both must have the same size"
            )
        holes.append(hole)
    return holes


def _given(image: Any, number: int) -> Given:
    try:
        if isinstance(image, str | os.PathLike):
            with opened(Path(image), OPTIONS) as stored:
                return Given(PillowPhoto(stored, upright=True), _same)
        if isinstance(image, Image.Image):
            return Given(PillowPhoto(image), _same)
        if isinstance(image, np.ndarray):
            return Given(ArrayPhoto(image), _same)
        if isinstance(image, Tensor):
            return _tensor(image)
    except ValueError as error:
        where = f" ({image})" if isinstance(image, str | os.PathLike) else ""
        raise ValueError(f"image {number}{where}: {error}") from error
    raise ValueError(f"image {number} is of type {type(image).__name__}; give an array, a tensor, an image of Pillow or a path")


def _tensor(image: Tensor) -> Given:
    """Read a tensor; three dimensions are (H, W, C) where the last may be channels, else (C, H, W)."""
    channels_first = image.ndim == 3 and image.shape[-1] not in CHANNELS and image.shape[0] in CHANNELS
    values = image.detach().cpu()
    values = values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
    array = values.movedim(0, -1).numpy() if channels_first else values.numpy()

    def back(made: np.ndarray) -> Tensor:
        result = torch.from_numpy(made).to(device=image.device, dtype=image.dtype)
        return result.movedim(-1, 0).contiguous() if channels_first else result

    return Given(ArrayPhoto(array), back)


def _same(made: Any) -> Any:
    return made


def converted(made: Any, output: str | None) -> Any:
    """Return a result as `output`: pil, numpy (H, W, ...), torch (H, W, ...), or None = as it is."""
    if output is None:
        return made
    if output == "pil":
        return made if isinstance(made, Image.Image) else _as_pillow(np.asarray(made))
    array = np.array(made) if isinstance(made, Image.Image) else made
    if output == "numpy":
        return array.cpu().numpy() if isinstance(array, Tensor) else array
    return array if isinstance(array, Tensor) else torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))


def check_output(output: str | None) -> None:
    """Raise ValueError unless results can be given so."""
    if output is not None and output not in OUTPUTS:
        raise ValueError(f"output must be one of {', '.join(OUTPUTS)} or None = as given, got {output!r}")


def margins_of(expand: Sequence[int]) -> tuple[int, int, int, int]:
    """Return by how many pixels a canvas grows to the left, top, right and bottom; raise ValueError for anything else."""
    if len(expand) != 4:
        raise ValueError(f"expand must be four numbers of pixels, left, top, right and bottom, got {expand!r}")
    for margin in expand:
        require_number("expand", margin, least=0, whole=True, unit="pixels")
    left, top, right, bottom = (int(margin) for margin in expand)
    return left, top, right, bottom


def _as_pillow(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[0] in CHANNELS and array.shape[2] not in CHANNELS:
        array = np.ascontiguousarray(np.moveaxis(array, 0, -1))
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    try:
        return Image.fromarray(array)
    except TypeError as error:
        raise ValueError(f"Pillow has no mode for an array {array.shape} of {array.dtype}; take output='numpy'") from error


def _transparent(photo: Photo, number: int) -> np.ndarray:
    hole = photo.transparent()
    if hole is None:
        raise ValueError(f"image {number} has no transparency that could be its hole: give masks")
    return hole


def _hole(mask: Any, number: int) -> np.ndarray:
    """Return (H, W) bool, True = hole, of one mask of any kind."""
    try:
        if isinstance(mask, str | os.PathLike):
            with opened(Path(mask), OPTIONS) as stored:
                return hole_pixels(stored, hole="white")[0]
        if isinstance(mask, Image.Image):
            return hole_pixels(mask, hole="white")[0]
        array = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else np.asarray(mask)
        if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
            array = array[0] if array.shape[0] == 1 and array.shape[2] != 1 else array[..., 0]
        if array.ndim != 2 or array.dtype.kind not in "buif":
            raise ValueError(f"a mask is (H, W) of bool or numbers, got {array.shape} {array.dtype}")
        return _white(array)
    except ValueError as error:
        where = f" ({mask})" if isinstance(mask, str | os.PathLike) else ""
        raise ValueError(f"mask {number}{where}: {error}") from error


def _white(values: np.ndarray) -> np.ndarray:
    """Return where numbers (H, W) are white: of 0 and one other value what is not 0, else the upper half of the range."""
    if values.dtype == np.bool_:
        return values
    if values.size and not np.isfinite(values).all():
        raise BadImageError("it has values that are not finite")
    high = values.max(initial=0)
    if ((values == 0) | (values == high)).all():
        return np.asarray(values != 0)
    full = 1.0 if values.dtype.kind == "f" and high <= 1 else 255 if high <= 255 else 65535
    return np.asarray(values > full / 2)
