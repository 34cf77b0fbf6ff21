"""Do one fill, and put what the page shows of it into one event: candidates, and every step of every crop."""

import base64
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image

from maskgit_lab.data.image_pixels import has_transparency, rgb_pixels
from maskgit_lab.web.fill_request import FillRequest
from maskgit_lab.web.image_store import ImageStore, KeptImage
from maskgit_lab.web.uploads import MAX_VIEW, hole_png, png
from maskgit_lab.web.watch import Watch

MAX_STEP_PIXELS = 12_000_000  # of all steps, crops and candidates that one answer shows


class Fills(Protocol):
    """What the page needs of an `Inpainter`."""

    @property
    def resolution(self) -> int:
        """Pixels per side of what the network fills."""

    def with_decode(self, **changes: Any) -> "Fills":
        """Return one that decodes otherwise."""

    def watched(self, watch: Callable[[int, int], None]) -> "Fills":
        """Return one that calls `watch(number, of)` after every pass of decoding."""

    def __call__(
        self, images: Any, masks: Any = None, *, num_samples: int = 1, seed: int | None = None, strategy: str = "crop",
        steps: bool = False,
    ) -> Any:  # fmt: skip
        """Fill one image."""


def fill(inpainter: Fills, asked: FillRequest, images: ImageStore, watch: Watch) -> dict[str, Any]:
    """Fill a hole; the candidates are kept among the images.

    Args:
        inpainter: of the run.
        asked: what to fill and how.
        images: where the candidates go.
        watch: told of every step.

    Returns:
        The event: seconds, the numbers of the steps that are shown, and for each candidate the key of its image, the patch over the
        hole, and its crops.
    """
    began = time.perf_counter()
    ready = inpainter.with_decode(**asked.changes).watched(_Progress(watch, asked.num_samples))
    filled = ready(
        asked.kept.image, asked.hole, num_samples=asked.num_samples, seed=asked.seed, strategy=asked.strategy, steps=True
    )  # fmt: skip
    seconds = time.perf_counter() - began
    composited = filled.composited if asked.num_samples > 1 else [filled.composited]
    crops = filled.crops[0]
    shown = _shown_steps(crops, asked.num_samples)
    name = f"{asked.kept.name.removesuffix('_filled')}_filled"
    candidates = [
        {
            "image": images.keep(KeptImage(image, name)),
            "patch": _patch(image, asked.hole),
            "crops": [_crop(crop, k, shown) for crop in crops],
        }
        for k, image in enumerate(composited)
    ]
    return {"candidates": candidates, "steps": [step + 1 for step in shown], "seconds": round(seconds, 2)}


class _Progress:
    """Tell the page how far a fill is: passes of all candidates together."""

    def __init__(self, watch: Watch, num_samples: int) -> None:
        self._watch, self._num_samples, self._done = watch, num_samples, 0

    def __call__(self, number: int, of: int) -> None:
        self._done += 1  # a large hole takes several rounds, each with all passes; how many is not known before
        self._watch.tell(kind="step", step=self._done, of=max(self._done, of * self._num_samples))


def _shown_steps(crops: Sequence[Any], num_samples: int) -> list[int]:
    """Return the steps that are sent, counted from 0: all of them, unless they are too many pixels; the last one always."""
    num_steps = max((crop.step_images.shape[1] for crop in crops), default=0)
    pixels = sum(crop.hole.size for crop in crops) * num_samples  # of one step
    count = max(1, min(num_steps, MAX_STEP_PIXELS // max(1, pixels)))
    return sorted({round(step) for step in np.linspace(num_steps - 1, 0, count)}) if num_steps else []


def _patch(image: Image.Image, hole: np.ndarray) -> dict[str, Any]:
    """Return the part of a filled image that is not known: its box, and a PNG that is transparent outside the hole."""
    left, top, right, bottom = box = _box_of(hole)
    layer = image.crop(box)
    layer = (layer if has_transparency(layer) else rgb_pixels(layer)).convert("RGBA")
    layer.putalpha(Image.fromarray(np.asarray(layer.getchannel("A")) * hole[top:bottom, left:right]))
    scale = min(1.0, MAX_VIEW / max(layer.size))
    if scale < 1:
        layer = layer.resize((max(1, round(layer.width * scale)), max(1, round(layer.height * scale))), Image.Resampling.BOX)
    return {"box": [left, top, right - left, bottom - top], "png": _text(png(layer))}


def _crop(crop: Any, k: int, shown: Sequence[int]) -> dict[str, Any]:
    """Return what candidate k of a crop was after steps: its images one below the other, which tokens were hidden.

    Of a hole that is filled in pieces a crop gives some pixels only, `pasted`; tokens that touch none of them are left out.
    """
    left, top, right, bottom = crop.part
    masks = crop.step_masks[k]
    start = _touched(crop, masks.shape[-1])
    return {
        "box": [*crop.box[:2], crop.box[2], crop.box[2]],
        "part": [left, top, right - left, bottom - top],
        "pasted": _text(hole_png(crop.pasted)),
        "resolution": len(crop.hole),
        "grid": masks.shape[-1],
        "images": _text(png(Image.fromarray(np.concatenate(crop.step_images[k][list(shown)])))),
        "start": _bits(start),
        "masks": [_bits(masks[step] & start) for step in shown],
        "confidence": [round(float(value), 3) for value in crop.confidence[k].ravel()],
    }


def _touched(crop: Any, grid: int) -> np.ndarray:
    """Return which tokens (grid, grid) were hidden at first and lie over pixels that the image got from this crop."""
    x, y, side = crop.box
    left, top, _, _ = crop.part
    edges = np.round(np.arange(grid + 1) * (side / grid)).astype(int)
    rows, columns = (np.clip(edges + shift, 0, None) for shift in (y - top, x - left))
    found = np.zeros((grid, grid), bool)
    for row, column in np.ndindex(grid, grid):
        found[row, column] = crop.pasted[rows[row] : rows[row + 1], columns[column] : columns[column + 1]].any()
    return found


def _box_of(hole: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of what is True in (H, W) bool, of which something is."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _bits(mask: np.ndarray) -> str:
    return "".join("1" if value else "0" for value in mask.ravel())


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
