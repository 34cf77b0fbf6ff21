"""An animation of a fill: the image as it was given, then step by step, and the result held at the end."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from maskgit_lab.machine.whole_file import whole_file

FIRST, LAST = 900, 2500  # milliseconds that the first and the last frame are shown
ALL_STEPS = 3000  # milliseconds for all steps together, within the bounds of each
STEP = (120, 500)
QUALITY = 85  # of lossy WebP, 0 to 100
EFFORT = 2  # of its compression, 0 to 6; more takes longer and saves little


def durations(num_frames: int) -> list[int]:
    """Return for how many milliseconds each frame is shown."""
    if num_frames < 2:
        return [LAST] * num_frames
    steps = num_frames - 2
    each = min(max(ALL_STEPS // max(steps, 1), STEP[0]), STEP[1])
    return [FIRST, *[each] * steps, LAST]


def save_animation(path: Path, frames: Sequence[Image.Image]) -> Path:
    """Write an animated WebP that repeats.

    Args:
        path: a .webp file.
        frames: RGB of one size, from the given image to the result.

    Returns:
        `path`.
    """
    with whole_file(path) as partial:
        frames[0].save(
            partial, format="WEBP", save_all=True, append_images=list(frames[1:]), duration=durations(len(frames)), loop=0,
            quality=QUALITY, method=EFFORT,
        )  # fmt: skip
    return path
