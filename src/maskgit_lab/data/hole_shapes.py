"""What holes look like to a tokenizer: a network fills holes best that look like those of its training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskgit_lab.data.holes import STYLES, draw_holes

NUM_DRAWN = 200  # holes of a style that are looked at
TEST, OWN_MASKS = "test", "data.train_masks"
FEW = 10  # fewer test holes than this say nothing of their kind
NOTICED = 0.1  # of the touched cells: the share of whole ones by which styles may differ without a word
FREE_STYLES = ("brush", "walk", "box")  # those that keep to a share


@dataclass(frozen=True)
class HoleShape:
    """Means over holes."""

    num_holes: int
    pixels: float  # share of the pixels under the hole
    least: float  # the share that 5 % of the holes are below
    most: float  # and above
    cells: float  # share of the token cells that the hole touches: these tokens are hidden
    whole: float  # of those cells, the share without a known pixel

    @classmethod
    def of(cls, holes: np.ndarray, *, cell: int) -> "HoleShape":
        """Measure holes (n, H, W) bool, n at least 1, with cells of `cell` pixels per side, which divides H and W."""
        shares = holes.mean((1, 2))
        num_holes, height, width = holes.shape
        cells = holes.reshape(num_holes, height // cell, cell, width // cell, cell)
        touched, whole = cells.any((2, 4)), cells.all((2, 4))
        least, most = np.quantile(shares, (0.05, 0.95)).tolist()
        return cls(
            num_holes=num_holes, pixels=float(shares.mean()), least=least, most=most, cells=float(touched.mean()),
            whole=float(whole.sum() / max(1, touched.sum())),
        )  # fmt: skip


def compared_shapes(
    test_holes: np.ndarray, train_holes: np.ndarray | None, *, style: str, share: Sequence[float], cell: int
) -> dict[str, HoleShape]:
    """Return the shapes of the test's holes, of those that training has, and of other drawn ones, in this order.

    Args:
        test_holes: (n, H, W) bool.
        train_holes: own masks (M, H, W) bool; None = drawn in `style`.
        style: of drawn holes.
        share: least and largest share of the pixels under a drawn hole.
        cell: pixels per side of a token's cell.

    Returns:
        By name: "test", "data.train_masks" where there are own masks, then styles. Empty without test images, and where cells do
        not divide them.
    """
    resolution = test_holes.shape[-1]
    if resolution % cell or not len(test_holes):
        return {}
    shapes = {TEST: HoleShape.of(test_holes, cell=cell)}
    if train_holes is not None:
        shapes[OWN_MASKS] = HoleShape.of(train_holes, cell=cell)
    for name in dict.fromkeys((style, *FREE_STYLES)):
        drawn = draw_holes(style=name, seed=0, indices=range(NUM_DRAWN), resolution=resolution, share=share)
        shapes[name] = HoleShape.of(drawn, cell=cell)
    return shapes


def nearest_style(shapes: Mapping[str, HoleShape]) -> str:
    """Return the drawn style whose touched cells are hidden wholly about as often as the test's; the first of equal ones."""
    return min((name for name in shapes if name in STYLES), key=lambda name: abs(shapes[name].whole - shapes[TEST].whole))


def better_style(shapes: Mapping[str, HoleShape]) -> str | None:
    """Return what to say where another style is more like the test's holes, by more than `NOTICED`; None where all is well."""
    trained = next((name for name in shapes if name != TEST), None)
    if trained is None or trained == OWN_MASKS or shapes[TEST].num_holes < FEW:
        return None
    if not shapes[TEST].cells:
        return None  # there is nothing to fill
    nearest, test = nearest_style(shapes), shapes[TEST].whole
    if abs(shapes[trained].whole - test) - abs(shapes[nearest].whole - test) < NOTICED:
        return None
    return (
        f"Of the cells that the test's holes touch {test:.0%} are hidden wholly, of those that training draws "
        f"{shapes[trained].whole:.0%} (data.hole_style={trained}): data.hole_style={nearest} ({shapes[nearest].whole:.0%}) is more "
        "like the test, and a network fills best what looks like the holes of its training"
    )
