"""Which square each hole is filled in, and which holes are too large or too long for one.

The side of a square follows from the hole's area and rim: side = 4 / sqrt(share) x area / rim, where `share` is the hole's share of
the square that the network saw most in training. For a square hole, area / rim is a quarter of its side, so the square has
1 / sqrt(share) of its sides: 2.4 at the default holes of 10 to 30 %, which are sides of 3.2 to 1.8. For a long scratch it is half
its width, so that its square follows from how thick it is, not from how long.
"""

from dataclasses import dataclass

import numpy as np

from maskgit_lab.repair.regions import Region, Regions
from maskgit_lab.repair.squares import Square, placed

MARGIN = 1.3  # least side of a square that holds a whole hole, in sides of its box
LONG = 0.65  # a hole whose thickness asks for a square of less than this share of its side is filled piece by piece
TOLERANCE = 1.2  # of the largest share: where the image ends, a slightly larger one is better than pieces
PIECE = 0.75  # side of pieces, in sides of the largest square, where that has too large a share of hole
MAX_PIECES = 100  # about, of one hole: pieces of a hole that is everywhere are larger


@dataclass(frozen=True)
class OneSquare:
    """Holes that one square holds."""

    square: Square
    regions: tuple[int, ...]  # their numbers


@dataclass(frozen=True)
class InPieces:
    """A hole that is filled by squares of one size, from its rim inwards."""

    side: int  # pixels
    region: Region


@dataclass(frozen=True)
class Geometry:
    """What squares are chosen by."""

    resolution: int  # of the network, pixels per side; no square is smaller
    hole_share: tuple[float, float]  # least and largest share of hole pixels that the network was trained on

    @property
    def share(self) -> float:
        """Share of hole pixels that squares are made for: the geometric mean, as sides go with its root."""
        return float(np.sqrt(self.hole_share[0] * self.hole_share[1]))


def planned(regions: Regions, width: int, height: int, geometry: Geometry) -> tuple[list[OneSquare], list[InPieces]]:
    """Choose the squares of an image.

    Args:
        regions: its holes.
        width: of the image, pixels.
        height: of the image.
        geometry: the network's resolution and its share of hole pixels.

    Returns:
        Squares that hold holes as a whole, in the order of the holes, and holes that are filled in pieces.
    """
    whole: list[tuple[Region, Square]] = []
    pieces: list[InPieces] = []
    for region in regions.found:
        side, fits = _side(region, width, height, geometry)
        if fits:
            whole.append((region, _around(region, side, width, height)))
        else:
            pieces.append(InPieces(side, region))
    return _shared(whole, geometry), pieces


def _side(region: Region, width: int, height: int, geometry: Geometry) -> tuple[int, bool]:
    """Return the side of a region's squares, and whether one of them holds it."""
    least, largest = geometry.resolution, max(geometry.resolution, min(width, height))
    if region.rim == 0:  # nothing is known
        return largest, region.side <= largest
    by_thickness = max(least, 4 / np.sqrt(geometry.share) * region.area / region.rim)
    needed = MARGIN * region.side
    if by_thickness < LONG * region.side:
        side = max(by_thickness, float(np.sqrt(region.area / (MAX_PIECES * geometry.share / 2))))
        return min(round(side), largest), False
    side = min(round(max(by_thickness, needed, least)), largest)
    if region.side > side:
        return min(round(by_thickness), largest), False
    if side > least and region.area > TOLERANCE * geometry.hole_share[1] * side**2:
        return max(least, min(round(by_thickness), round(PIECE * largest))), False
    return side, True


def _around(region: Region, side: int, width: int, height: int) -> Square:
    left, top, right, bottom = region.box
    return Square(placed((left + right) / 2, side, width), placed((top + bottom) / 2, side, height), side)


def _shared(whole: list[tuple[Region, Square]], geometry: Geometry) -> list[OneSquare]:
    """Let a square take in other holes that lie wholly in it and would have one of similar size."""
    if not whole:
        return []
    boxes = np.array([region.box for region, _ in whole])
    sides = np.array([square.side for _, square in whole])
    areas = np.array([region.area for region, _ in whole])
    free = np.ones(len(whole), bool)
    taken: list[OneSquare] = []
    for i in np.lexsort((np.arange(len(whole)), -areas)):
        if not free[i]:
            continue
        square = whole[i][1]
        left, top, right, bottom = boxes.T
        margin = square.side // 16
        fits = free & (sides * 2 >= square.side) & (left >= square.left + margin) & (top >= square.top + margin)
        fits &= (right <= square.left + square.side - margin) & (bottom <= square.top + square.side - margin)
        fits[i] = False
        others = np.nonzero(fits)[0]
        room = geometry.hole_share[1] * square.side**2 - areas[i]
        others = others[np.cumsum(areas[others]) <= room]
        free[others] = False
        free[i] = False
        taken.append(OneSquare(square, tuple(sorted(int(whole[k][0].number) for k in (i, *others)))))
    return sorted(taken, key=lambda one: one.regions)
