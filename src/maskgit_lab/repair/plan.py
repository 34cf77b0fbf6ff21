"""Which square each hole is filled in, and which holes are too large for one.

A square has such a side that the hole takes the share of it that the network saw most in training, and at the same time between
1 / sqrt(largest share) and 1 / sqrt(least share) sides of the hole: at the default holes of 10 to 30 %, 1.8 to 3.2 sides. So a
square hole gets 2.4 sides, and a long scratch 1.8 of its length: what a network has learnt of whole images needs the surroundings.
"""

from dataclasses import dataclass

import numpy as np

from maskgit_lab.repair.regions import Region, Regions
from maskgit_lab.repair.squares import Square, placed

TOLERANCE = 1.2  # of the largest share: where the image ends, a slightly larger one is better than pieces
PIECE = 0.75  # side of pieces, in sides of the largest square, where that has too large a share of hole


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
    largest = max(geometry.resolution, min(width, height))
    if region.area == width * height:  # nothing is known
        return largest, region.side <= largest
    least_share, largest_share = geometry.hole_share
    low, high = region.side / np.sqrt(largest_share), region.side / np.sqrt(least_share)
    side = min(max(geometry.resolution, round(float(np.clip(np.sqrt(region.area / geometry.share), low, high)))), largest)
    # a hole that is longer than the square has no more than its part of it in there
    share = region.area / (side * max(side, region.side))
    if side == geometry.resolution and region.side <= side:
        return side, True
    if share > TOLERANCE * largest_share:
        return max(geometry.resolution, round(PIECE * side)), False
    return side, region.side <= side


def _around(region: Region, side: int, width: int, height: int) -> Square:
    left, top, right, bottom = region.box
    return Square(placed((left + right) / 2, side, width), placed((top + bottom) / 2, side, height), side)


def _shared(whole: list[tuple[Region, Square]], geometry: Geometry) -> list[OneSquare]:
    """Let a square take in other holes that lie wholly in it and would have one of similar size."""
    if not whole:
        return []
    whole = sorted(whole, key=lambda one: one[0].box[0])  # by their left sides, so that those near a square are one slice
    left, top, right, bottom = np.array([region.box for region, _ in whole]).T
    sides = np.array([square.side for _, square in whole])
    areas = np.array([region.area for region, _ in whole])
    numbers = np.array([region.number for region, _ in whole])
    free = np.ones(len(whole), bool)
    taken: list[OneSquare] = []
    for i in np.lexsort((numbers, -areas)):
        if not free[i]:
            continue
        square = whole[i][1]
        free[i] = False
        margin = square.side // 16
        near = slice(*np.searchsorted(left, (square.left + margin, square.left + square.side)))
        fits = free[near] & (sides[near] * 2 >= square.side) & (right[near] <= square.left + square.side - margin)
        fits &= (top[near] >= square.top + margin) & (bottom[near] <= square.top + square.side - margin)
        others = near.start + np.flatnonzero(fits)
        others = others[np.cumsum(areas[others]) <= geometry.hole_share[1] * square.side**2 - areas[i]]
        free[others] = False
        taken.append(OneSquare(square, tuple(sorted(numbers[[i, *others]].tolist()))))
    return sorted(taken, key=lambda one: one.regions)
