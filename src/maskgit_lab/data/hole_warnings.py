"""Holes that are probably not what was meant: none, everything, or the wrong way round."""

import logging
from collections.abc import Sequence

import numpy as np

from maskgit_lab.data.file_names import shown, some

log = logging.getLogger("maskgit_lab")

INVERTED_SHARE = 0.6  # of the pixels: few people mask more


def warn_of_holes(holes: np.ndarray, names: Sequence[str], *, hole: str) -> None:
    """Log one warning about empty and full holes, and holes that look inverted; nothing when all is well.

    Args:
        holes: (n, H, W) bool, True = hole.
        names: of their masks.
        hole: which colour was taken for the hole.
    """
    if not len(holes):
        return
    shares = holes.mean((1, 2))
    said = [
        f"{len(chosen)} of {len(holes)} masks {what}: {some([shown(names[i]) for i in chosen.tolist()])}"
        for chosen, what in (
            (np.nonzero(shares == 0)[0], "have no hole in the part of the image that is used"),
            (np.nonzero(shares == 1)[0], "are a hole from edge to edge"),
        )
        if len(chosen)
    ]
    inverted = int((shares > INVERTED_SHARE).sum())
    if inverted > len(holes) / 2:
        said.append(
            f"{inverted} of {len(holes)} masks have more than {INVERTED_SHARE:.0%} of the pixels in the hole: "
            f"is mask_hole={hole} the wrong way round?"
        )
    if said:
        log.warning("Warning: " + "; ".join(said))
