"""Do one fill, and put what the page shows of it into one event: candidates, and every step of every crop."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image

from maskgit_lab.data.image_pixels import has_transparency, rgb_pixels
from maskgit_lab.repair.watching import FillWatch
from maskgit_lab.web.crops import bits, place, probabilities, text, touched
from maskgit_lab.web.fill_request import FillRequest
from maskgit_lab.web.image_store import ImageStore, KeptImage
from maskgit_lab.web.live import Live
from maskgit_lab.web.uploads import MAX_VIEW, png
from maskgit_lab.web.watch import Watch

MAX_STEP_PIXELS = 12_000_000  # of all steps, crops and candidates that one answer shows


class Fills(Protocol):
    """What the page needs of an `Inpainter`."""

    @property
    def resolution(self) -> int:
        """Pixels per side of what the network fills."""

    def with_decode(self, **changes: Any) -> "Fills":
        """Return one that decodes otherwise."""

    def watched(self, watch: FillWatch) -> "Fills":
        """Return one that calls `watch` after every pass of decoding."""

    def __call__(
        self, images: Any, masks: Any = None, *, num_samples: int = 1, seed: int | None = None, strategy: str = "crop",
        steps: bool = False, seamless: bool = True, match_histogram: bool = False,
    ) -> Any:  # fmt: skip
        """Fill one image."""


def fill(inpainter: Fills, asked: FillRequest, images: ImageStore, watch: Watch) -> dict[str, Any]:
    """Fill a hole; the candidates are kept among the images.

    Args:
        inpainter: of the run.
        asked: what to fill and how.
        images: where the candidates go.
        watch: told of every pass, as `Live` says it.

    Returns:
        The event: seconds, the numbers of the steps that are shown, and for each candidate the key of its image, the patch over the
        hole, and its crops.
    """
    began = time.perf_counter()
    ready = inpainter.with_decode(**asked.changes).watched(Live(watch, asked.num_samples))
    filled = ready(
        asked.kept.image, asked.hole, num_samples=asked.num_samples, seed=asked.seed, strategy=asked.strategy, steps=True,
        seamless=asked.seamless, match_histogram=asked.match_histogram,
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
    return {"box": [left, top, right - left, bottom - top], "png": text(png(layer))}


def _crop(crop: Any, k: int, shown: Sequence[int]) -> dict[str, Any]:
    """Return what candidate k of a crop was after steps: its images one below the other, which tokens were hidden."""
    masks = crop.step_masks[k]
    start = touched(crop, masks.shape[-1])
    return {
        **place(crop),
        "resolution": len(crop.hole),
        "grid": masks.shape[-1],
        "images": text(png(Image.fromarray(np.concatenate(crop.step_images[k][list(shown)])))),
        "start": bits(start),
        "masks": [bits(masks[step] & start) for step in shown],
        "confidence": probabilities(crop.confidence[k].ravel()),
    }


def _box_of(hole: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of what is True in (H, W) bool, of which something is."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
