"""What marks the hole in a mask file, as `mask_hole` says it: white, black, transparency, or one colour."""

import re

MARKS = ("white", "black", "alpha")
ALPHA = "alpha"
COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)


def check_hole_mark(hole: str, *, key: str = "mask_hole") -> None:
    """Raise ValueError naming `key` unless this is one of `MARKS` or a colour like #ff0000."""
    if hole not in MARKS and not (isinstance(hole, str) and COLOUR.fullmatch(hole)):
        raise ValueError(f"{key} must be {', '.join(MARKS)} or a colour like #ff0000, got {hole!r}")


def is_colour(hole: str) -> bool:
    """Return whether a mark is one colour."""
    return hole.startswith("#")


def rgb_of(hole: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, of a mark that `is_colour`."""
    return int(hole[1:3], 16), int(hole[3:5], 16), int(hole[5:7], 16)
