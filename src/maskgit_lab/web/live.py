"""Tell a page of every pass of a fill while it runs: which tokens are new, how sure they are, and a small image of each crop."""

import io
from typing import Any

import numpy as np
from PIL import Image

from maskgit_lab.repair.watching import CropNow, FillNow
from maskgit_lab.web.crops import bits, place, probabilities, text, touched
from maskgit_lab.web.watch import Watch

MAX_BEHIND = 8  # events that wait for a slow browser, from which on images are left out: what waits is then small
QUALITY = 88  # of JPEG; the result comes without loss


class Live:
    """Turns the passes of one fill into events.

    Of crops that are new it first tells `crops`: the place of each, and its tokens, `start`. Then for each pass a `step`: how many
    passes of all candidates are done, the candidate, and of each crop the cells of its grid, counted by rows from 0, whose tokens
    are new, with their probabilities; those that are hidden `again` (by policies that take tokens back); and the image.

    Args:
        watch: told of the events; its errors end the fill.
        num_samples: candidates of the fill.
    """

    def __init__(self, watch: Watch, num_samples: int) -> None:
        self._watch, self._num_samples = watch, num_samples
        self._done = 0
        self._cells: dict[int, np.ndarray] = {}  # of each crop, the tokens (grid, grid) that the image gets from it
        self._hidden: dict[tuple[int, int], np.ndarray] = {}  # of each candidate and crop, (grid, grid) as it was told last

    def __call__(self, now: FillNow) -> None:
        """Tell of a pass."""
        self._done += 1  # a large hole takes several rounds, each with all passes; how many is not known before
        if new := [crop for crop in now.crops if crop.number not in self._cells]:
            self._watch.tell(kind="crops", crops=[self._begun(crop) for crop in new])
        self._watch.tell(
            kind="step", step=self._done, of=max(self._done, now.of * self._num_samples), candidate=now.candidate,
            crops=[self._news(crop, now) for crop in now.crops],
        )  # fmt: skip

    def _begun(self, crop: CropNow) -> dict[str, Any]:
        grid = len(crop.hidden)
        cells = self._cells[crop.number] = touched(crop, grid)
        return {"crop": crop.number, **place(crop), "grid": grid, "start": bits(cells)}

    def _news(self, crop: CropNow, now: FillNow) -> dict[str, Any]:
        cells = self._cells[crop.number]
        before = self._hidden.get((now.candidate, crop.number), cells)
        hidden = self._hidden[now.candidate, crop.number] = crop.hidden & cells
        new, again = before & ~hidden, hidden & ~before
        news = {
            "crop": crop.number,
            "new": np.flatnonzero(new).tolist(),
            "confidence": probabilities(crop.confidence[new]),
            "again": np.flatnonzero(again).tolist(),
        }
        if now.step is not None and self._watch.num_waiting < MAX_BEHIND:
            news["image"] = text(_jpeg(crop.decoded()))  # the fill keeps the images of its steps, and does not decode them again
        return news


def _jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()
