"""Holes that are probably not what was meant: none or everything is warned of, the wrong way round is refused."""

import logging
from collections.abc import Sequence

import numpy as np

from maskgit_lab.data.file_names import shown, some
from maskgit_lab.data.hole_marks import ALPHA

log = logging.getLogger("maskgit_lab")

LARGEST_SHARE = 0.6  # of the pixels: few people mask more
OTHER_WAY = {"white": "black", "black": "white"}


def check_holes(
    shares: Sequence[float] | np.ndarray, names: Sequence[str], *, hole: str, max_share: float = LARGEST_SHARE, prefix: str = ""
) -> None:
    """Refuse masks that look inverted, and log one warning about empty and full holes; nothing when all is well.

    Args:
        shares: of the pixels of each mask that are hole pixels.
        names: of the masks.
        hole: which colour was taken for the hole.
        max_share: share of hole pixels above which a mask looks inverted; 1 = none does.
        prefix: of the configuration key `mask_hole`, for messages.

    Raises:
        ValueError: when most masks have a larger share of their pixels in the hole than `max_share`.
    """
    shares = np.asarray(shares)
    inverted = np.nonzero(shares > max_share)[0]
    if len(inverted) > len(shares) / 2:
        raise ValueError(
            f"{len(inverted)} of {len(shares)} masks have more than {max_share:.0%} of their pixels in the hole: "
            f"{some([shown(names[i]) for i in inverted.tolist()])}. {_remedy(hole, prefix)}"
        )
    said = [
        f"{len(chosen)} of {len(shares)} masks {what}: {some([shown(names[i]) for i in chosen.tolist()])}"
        for chosen, what in (
            (np.nonzero(shares == 0)[0], "have no hole in the part of the image that is used"),
            (np.nonzero(shares == 1)[0], "are a hole from edge to edge"),
        )
        if len(chosen)
    ]
    if said:
        log.warning("Warning: " + "; ".join(said))


def _remedy(hole: str, prefix: str) -> str:
    key = f"{prefix}mask_hole"
    meant = f"If such holes are meant: {prefix.removesuffix('train_')}max_hole_share=1"
    if hole in OTHER_WAY:
        other = OTHER_WAY[hole]
        return f"{key}={hole} takes {hole} for the hole: if {other} marks it, use {key}={other}. {meant}"
    what = "transparent pixels" if hole == ALPHA else f"the colour {hole}"
    return f"{key}={hole} takes {what} for the hole. {meant}"
