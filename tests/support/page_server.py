"""The page's server in front of an inpainter that costs nothing: it paints holes in one colour a candidate."""

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

from maskgit_lab.assembly.decode_choices import choices
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.repair.watching import CropNow, FillNow
from maskgit_lab.web.fill_request import FillChoices
from maskgit_lab.web.limits import Limits
from maskgit_lab.web.painting import Painting
from maskgit_lab.web.server import Application, Place, application

RESOLUTION = 16
GRID = 4
SCHEDULES, POLICIES = choices("mask_schedule"), choices("decode/policy")
COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30))


@dataclass(frozen=True)
class StandIn:
    """Behaves as an `Inpainter`, for one RGB image, with one crop: the whole image."""

    settings: DecodeSettings = field(default_factory=lambda: DecodeSettings(schedule=Cosine(), num_steps=3))
    seconds: float = 0.0  # of each step
    gate: Callable[[], object] | None = None  # waited for before each step
    asked: list[dict[str, Any]] = field(default_factory=list)  # further settings of each fill
    watch: Any = None
    running: threading.Event = field(default_factory=threading.Event)  # set while a fill runs
    resolution: int = RESOLUTION

    def with_decode(self, **changes: Any) -> "StandIn":
        return replace(self, settings=replace(self.settings, **changes))

    def watched(self, watch: Any) -> "StandIn":
        return replace(self, watch=watch)

    def __call__(
        self, images: Any, masks: Any = None, *, num_samples: int = 1, seed: int | None = None, strategy: str = "crop",
        steps: bool = False, **further: Any,
    ) -> Any:  # fmt: skip
        image, hole = images, masks
        self.asked.append({"strategy": strategy, **further})
        self.running.set()
        stop = self.settings.stop
        try:
            crop = self._crop(np.asarray(image.convert("RGB")), hole, num_samples)
            for number in range(num_samples * stop):
                if self.gate is not None:
                    self.gate()
                time.sleep(self.seconds)
                self.watch(self._now(crop, *divmod(number, stop)))
        finally:
            self.running.clear()
        given, mask = np.asarray(image.convert("RGB")), Image.fromarray(hole)
        colours = [Image.new("RGB", image.size, COLOURS[((seed or 0) + k) % 4]).convert(image.mode) for k in range(num_samples)]
        images = [Image.composite(colour, image, mask) for colour in colours]
        return SimpleNamespace(composited=images if num_samples > 1 else images[0], crops=[[self._crop(given, hole, num_samples)]])

    def _now(self, crop: Any, candidate: int, step: int) -> FillNow:
        hidden, stop = crop.step_masks[candidate, step], self.settings.stop
        now = CropNow(
            0, 0, crop.box, crop.part, crop.pasted, hidden, crop.confidence[candidate], lambda: crop.step_images[candidate, step]
        )
        return FillNow(candidate, step + 1, stop, step + 1, [now])

    def _crop(self, given: np.ndarray, hole: np.ndarray, num_samples: int) -> Any:
        height, width = hole.shape
        side = max(height, width)
        stop = self.settings.stop
        masks = np.zeros((num_samples, stop, GRID, GRID), bool)
        for step in range(stop):
            masks[:, step].reshape(num_samples, -1)[:, : GRID * GRID * (stop - 1 - step) // stop] = True
        square = np.zeros((RESOLUTION, RESOLUTION), bool)
        return SimpleNamespace(
            box=(0, 0, side), part=(0, 0, width, height), pasted=hole, hole=square, step_masks=masks,
            step_images=np.full((num_samples, stop, RESOLUTION, RESOLUTION, 3), 90, np.uint8),
            confidence=np.full((num_samples, GRID, GRID), 0.25, np.float32),
        )  # fmt: skip


class RealRun:
    """A run's inpainter, with the settings where the stand-in has them."""

    def __init__(self, inpainter: Inpainter) -> None:
        self.inpainter = inpainter
        self.settings, self.resolution = inpainter.filler.settings, inpainter.resolution

    def with_decode(self, **changes: Any) -> Inpainter:
        return self.inpainter.with_decode(**changes)


def page(stand_in: StandIn | RealRun | None = None, *, place: Place | None = None, **limits: Any) -> Application:
    """Return the application of a page; inside a running loop."""
    inpainter: Any = stand_in or StandIn()
    bounds = Limits(**limits)
    offered = FillChoices(schedules=SCHEDULES, policies=POLICIES, limits=bounds)
    painting = Painting.of(inpainter, settings=inpainter.settings, choices=offered, name="runs/stand_in", seed=0)
    return application(painting.routes(), place=place or Place(), limits=bounds, queue=painting.queue)


@asynccontextmanager
async def served(app: Application) -> AsyncIterator[TestClient]:
    """Serve an application for as long as the block lasts, as the command does."""
    async with TestClient(TestServer(app)) as client:  # whose handlers are cancelled when the browser hangs up, as the command's
        yield client
