"""The figures of the lab's report that two checkpoints give: each schedule's hidden tokens and predictions in 20 steps, and fills.

1 and 2 are of the first schedule, 3 and 4 of the second, 5 and 6 of the third; 7 is the table itself; 8 the masked images, the
fills and the truths. With more or fewer schedules the numbers go on in the same way.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.data.image_set import InpaintSet
from maskgit_lab.evaluation.baselines import diffusion_fill, reconstruct
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.reporting.figures import save_rows
from maskgit_lab.reporting.reveal import reveal_of
from maskgit_lab.reporting.run_figures import RECONSTRUCTION, score_notes
from maskgit_lab.reporting.schedule_figure import IMAGE, MAP, save_schedule_figure

LAB_STEPS = 20  # of the figures; scores take seven
KINDS = {MAP: "masks", IMAGE: "predictions"}
TITLES = {MAP: "hidden tokens", IMAGE: "predicted image"}


def lab_figure_names(schedules: Iterable[str]) -> dict[str, str]:
    """Return the files' names by what they show: `NAME masks` and `NAME predictions` of each schedule, and `fills`."""
    shown = [f"{name} {kind}" for name in schedules for kind in KINDS.values()]
    names = {what: f"figure_{number}_{what.replace(' ', '_')}.png" for number, what in enumerate(shown, start=1)}
    return {**names, "fills": f"figure_{len(shown) + 2}_fills.png"}


def draw_lab(
    filler: Filler, test: InpaintSet, schedules: Mapping[str, MaskSchedule], figures: Path, *, fills: np.ndarray, of: str
) -> list[Path]:
    """Write the figures.

    Args:
        filler: the networks.
        test: the test images, with their truth.
        schedules: those of the table.
        figures: the folder they go to.
        fills: (n, H, W, 3) uint8, composited fills of the first n test images.
        of: the cell of the table that they are from.

    Returns:
        The paths of the figures.
    """
    names, paths = lab_figure_names(schedules), []
    for name, schedule in schedules.items():
        reveal = reveal_of(filler, test, schedule=schedule, num_steps=LAB_STEPS, composited=False)
        for row, kind in KINDS.items():
            path, title = figures / names[f"{name} {kind}"], f"{name}: {TITLES[row]} after each of {LAB_STEPS} steps"
            paths.append(save_schedule_figure(path, name, reveal, rows=[row], title=title))
    count = len(fills)
    images, holes = np.asarray(test.images[:count]), test.holes[:count]
    columns = {"masked image": images, "diffusion fill": diffusion_fill(images, holes), of: fills}
    truth = None if test.truth is None else np.asarray(test.truth[:count])
    if truth is not None:
        decoded = reconstruct(filler.tokenizer, truth, batch_size=count)
        columns |= {RECONSTRUCTION: np.where(holes[..., None], decoded, truth), "ground truth": truth}
    notes = score_notes(columns, holes, truth, of=(of,))
    paths.append(save_rows(figures / names["fills"], columns, holes=holes, without_outline=("ground truth",), notes=notes))
    return paths
