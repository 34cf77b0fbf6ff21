"""Do one fill, and put what the page shows of it into one event: candidates, and every step of every crop."""

import base64
import time
from typing import Any, Protocol

import numpy as np
from PIL import Image

from maskgit_lab.data.image_pixels import has_transparency, rgb_pixels
from maskgit_lab.web.fill_request import FillRequest
from maskgit_lab.web.image_store import ImageStore, KeptImage
from maskgit_lab.web.uploads import MAX_VIEW, png
from maskgit_lab.web.watch import Watch


class Fills(Protocol):
    """What the page needs of an `Inpainter`."""

    resolution: int

    def with_decode(self, **changes: Any) -> "Fills":
        """Return one that decodes otherwise."""

    def watched(self, watch: Any) -> "Fills":
        """Return one that calls `watch(step, num_steps)` after every decoding step."""

    def __call__(self, images: Any, masks: Any = None, **options: Any) -> Any:
        """Fill one image."""


def fill(inpainter: Fills, asked: FillRequest, images: ImageStore, watch: Watch) -> dict[str, Any]:
    """Fill a hole; the candidates are kept among the images.

    Args:
        inpainter: of the run.
        asked: what to fill and how.
        images: where the candidates go.
        watch: told of every step.

    Returns:
        The event: seconds, and for each candidate the key of its image, the patch over the hole, and its crops.
    """
    began = time.perf_counter()
    ready = inpainter.with_decode(**asked.changes).watched(lambda step, of: watch.tell(kind="step", step=step, of=of))
    filled = ready(
        asked.kept.image, asked.hole, num_samples=asked.num_samples, seed=asked.seed, strategy=asked.strategy, steps=True,
    )  # fmt: skip
    composited = filled.composited if asked.num_samples > 1 else [filled.composited]
    candidates = []
    for k, image in enumerate(composited):
        name = asked.kept.name.removesuffix("_filled")
        candidates.append({
            "image": images.keep(KeptImage(image, f"{name}_filled")),
            "patch": _patch(image, asked.hole),
            "crops": [_crop(crop, k) for crop in filled.crops[0]],
        })  # fmt: skip
    return {"candidates": candidates, "seconds": round(time.perf_counter() - began, 2)}


def _patch(image: Image.Image, hole: np.ndarray) -> dict[str, Any]:
    """Return the part of a filled image that is not known: its box, and a PNG that is transparent outside the hole."""
    rows, columns = (np.flatnonzero(hole.any(axis)) for axis in (1, 0))
    left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    cut = rgb_pixels(image.crop((left, top, right, bottom))) if not has_transparency(image) else image.crop((left, top, right, bottom))
    layer = cut.convert("RGBA")
    alpha = np.asarray(layer.getchannel("A")) * hole[top:bottom, left:right]
    layer.putalpha(Image.fromarray(alpha))
    scale = min(1.0, MAX_VIEW / max(layer.size))
    if scale < 1:
        layer = layer.resize((max(1, round(layer.width * scale)), max(1, round(layer.height * scale))), Image.Resampling.BOX)
    return {"box": [left, top, right - left, bottom - top], "png": _text(png(layer))}


def _crop(crop: Any, k: int) -> dict[str, Any]:
    """Return what candidate k of a crop was after each step: its images one below the other, which tokens were hidden."""
    steps, masks = crop.step_images[k], crop.step_masks[k]
    left, top, side = crop.box
    grid = masks.shape[-1]
    cells = crop.hole.reshape(grid, len(crop.hole) // grid, grid, -1).any((1, 3))
    return {
        "box": [left, top, side, side],
        "resolution": len(crop.hole),
        "grid": grid,
        "steps": _text(png(Image.fromarray(np.concatenate(steps)))),
        "start": _bits(cells | masks.any(0)),
        "masks": [_bits(mask) for mask in masks],
        "confidence": [round(float(value), 3) for value in crop.confidence[k].ravel()],
    }


def _bits(mask: np.ndarray) -> str:
    return "".join("1" if value else "0" for value in mask.ravel())


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
