"""Painted cats to try the page with: they are drawn, so they belong to nobody."""

from PIL import Image

from maskgit_lab.data.synthetic_cats import render_cats
from maskgit_lab.web.uploads import png

SEED = 1_000  # none of the painted cats that a run trains on (data.source.seed=0)
NUM_EXAMPLES = 6


def example(number: int, *, resolution: int) -> bytes:
    """Return a painted cat in a run's resolution as PNG; LookupError when there is none of this number."""
    if not 0 <= number < NUM_EXAMPLES:
        raise LookupError(f"there are {NUM_EXAMPLES} examples, counted from 0; got {number}")
    return png(Image.fromarray(render_cats(SEED, [number], resolution)[0]))
