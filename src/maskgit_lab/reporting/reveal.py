"""Decode one image along a schedule, for the figures that show what each step revealed."""

import dataclasses

import numpy as np
import torch

from maskgit_lab.core.pixels import composite
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.reporting.schedule_figure import Reveal


def reveal_of(
    filler: Filler, test: InpaintSet, *, schedule: MaskSchedule, num_steps: int, index: int = 0, composited: bool = True
) -> Reveal:
    """Decode the image numbered `index` in so many steps along a schedule; everything else as the filler does.

    Its step images are composited, or the decoder's whole output.
    """
    settings = dataclasses.replace(filler.settings, schedule=schedule, num_steps=num_steps, sweet_spot=None)
    images, holes = np.asarray(test.images[index : index + 1]), np.asarray(test.holes[index : index + 1])
    fill = dataclasses.replace(filler, settings=settings).fill(images, holes, [index])
    tokens, grid = fill.trace.step_tokens[:, 0], filler.tokenizer.grid
    given, hidden = (torch.from_numpy(np.array(array)).expand(len(tokens), *array.shape[1:]) for array in (images, holes))
    predictions = filler.pixels(tokens, given, hidden).cpu()
    if composited:
        predictions = composite(predictions, given, hidden)

    def on_grid(values: torch.Tensor) -> np.ndarray:
        return values.unflatten(-1, (grid, grid)).cpu().numpy()

    return Reveal(
        hole=holes[0],
        step_images=predictions.numpy(),
        step_masks=on_grid(fill.trace.step_masks[:, 0]),
        start=on_grid(fill.mask[0]),
        confidence=on_grid(fill.trace.log_p[0].exp()),
        image=images[0],
        truth=None if test.truth is None else np.asarray(test.truth[index]),
        result=fill.composited[0].cpu().numpy(),
    )
