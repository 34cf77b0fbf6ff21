"""Squares: inside the image, with as much hole as the network was trained on, or in pieces from the rim inwards."""

from typing import Any

import numpy as np
import pytest

from maskgit_lab.repair.pieces import CELLS, kept, next_pieces
from maskgit_lab.repair.plan import Geometry, InPieces, OneSquare, planned
from maskgit_lab.repair.regions import Regions
from maskgit_lab.repair.squares import mirrored, placed

R = 64
GEOMETRY = Geometry(R, (0.1, 0.3))


def plan(hole: np.ndarray) -> tuple[list[OneSquare], list[InPieces]]:
    return planned(Regions.of(hole, R // 16), hole.shape[1], hole.shape[0], GEOMETRY)


def with_boxes(width: int, height: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    hole = np.zeros((height, width), bool)
    for left, top, right, bottom in boxes:
        hole[top:bottom, left:right] = True
    return hole


def disc(width: int, height: int, x: int, y: int, radius: int) -> np.ndarray:
    rows, columns = np.ogrid[:height, :width]
    return np.asarray((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)


@pytest.mark.parametrize("place", [(700, 500), (0, 0), (1400, 0), (0, 800), (1400, 800), (700, 0)])
@pytest.mark.parametrize("side", [60, 150, 200, 300])
def test_plan_gives_a_hole_a_square_inside_the_image_of_the_trained_share(place: tuple[int, int], side: int):
    left, top = (min(at, length - side) for at, length in zip(place, (1600, 1000), strict=True))
    hole = with_boxes(1600, 1000, (left, top, left + side, top + side))
    (one,), pieces = plan(hole)
    square = one.square
    assert pieces == []
    assert square.inside(1600, 1000) == (square.left, square.top, square.left + square.side, square.top + square.side)
    assert square.left <= left
    assert square.top <= top
    assert left + side <= square.left + square.side
    assert top + side <= square.top + square.side
    assert 1.8 <= square.side / side <= 3.2


@pytest.mark.parametrize("radius", [40, 100, 200])
def test_plan_gives_a_disc_a_square_of_the_trained_share(radius: int):
    hole = disc(1600, 1200, 800, 600, radius)
    (one,), _ = plan(hole)
    assert 0.1 <= hole.sum() / one.square.side**2 <= 0.3
    assert 1.8 <= one.square.side / (2 * radius) <= 3.2


def test_plan_shows_small_holes_without_enlarging_them():
    (one,), _ = plan(with_boxes(1600, 1000, (300, 300, 305, 306)))
    assert one.square.side == R


def test_plan_lets_near_holes_share_a_square():
    ones, _ = plan(with_boxes(1600, 1000, (300, 300, 310, 310), (320, 320, 330, 330), (900, 900, 910, 910)))
    assert [len(one.regions) for one in ones] == [2, 1]


def test_plan_keeps_a_speck_beside_a_large_hole_sharp():
    ones, _ = plan(with_boxes(1600, 1000, (300, 300, 500, 500), (520, 400, 525, 405)))
    assert sorted(one.square.side for one in ones)[0] == R


def test_plan_gives_a_scratch_its_surroundings():
    (one,), _ = plan(with_boxes(1600, 1000, (200, 500, 700, 520)))
    assert 1.8 <= one.square.side / 500 <= 1.9
    ones, (piece,) = plan(with_boxes(1600, 1000, (200, 500, 1400, 520)))  # longer than any square
    assert (ones, piece.side) == ([], 1000)


@pytest.mark.parametrize(("width", "height"), [(3000, 20), (20, 3000), (7, 5), (1, 1), (64, 20)])
def test_plan_fits_images_that_are_smaller_than_a_square(width: int, height: int):
    hole = np.zeros((height, width), bool)
    hole[height // 2, width // 2] = True
    (one,), pieces = plan(hole)
    assert (one.square.side, pieces) == (R, [])
    left, top, right, bottom = one.square.inside(width, height)
    assert left <= width // 2 < right
    assert top <= height // 2 < bottom
    assert set(one.square.rows(height)) <= set(range(height))


def test_plan_fills_what_no_square_holds_in_pieces():
    _, (piece,) = plan(with_boxes(1600, 1000, (100, 100, 1500, 900)))
    assert piece.side <= 1000


@pytest.mark.parametrize(
    "hole",
    [
        with_boxes(900, 700, (50, 50, 850, 650)),
        with_boxes(900, 700, (0, 0, 900, 300)),
        np.ones((70, 900), bool),
        np.random.default_rng(0).random((300, 400)) < 0.5,
        disc(900, 700, 450, 350, 330),
        ~disc(900, 700, 450, 350, 330),
        with_boxes(3000, 12, (10, 0, 2990, 12)),
        with_boxes(1400, 1000, *((k, k * 5 // 7, k + 9, k * 5 // 7 + 9) for k in range(0, 1390, 3))),
    ],
    ids=["large", "half", "all", "noise", "disc", "frame", "thin", "diagonal"],
)
def test_pieces_come_to_an_end_and_do_not_overlap(hole: np.ndarray):
    height, width = hole.shape
    _, pieces = plan(hole)
    assert pieces
    left = hole.copy()
    squares: list[Any] = []
    for piece in pieces:
        x, y, right, bottom = piece.region.box
        own = left[y:bottom, x:right]
        for _ in range(400):
            chosen = next_pieces(own, piece.region.box, width=width, height=height, side=piece.side, largest_share=0.3)
            if not chosen:
                break
            for i, square in enumerate(chosen):
                assert not any(square.overlaps(other) for other in chosen[:i])
                rows, columns = kept(square, left)
                assert left[rows, columns].any()
                left[rows, columns] = False
            squares += chosen
    assert not left.any()
    assert len(squares) < 400


def test_pieces_begin_where_most_is_known():
    hole = with_boxes(1000, 1000, (200, 200, 800, 800))
    region = Regions.of(hole, 4).found[0]
    left, top, right, bottom = region.box
    squares = next_pieces(hole[top:bottom, left:right], region.box, width=1000, height=1000, side=320, largest_share=0.3)
    shares = [hole[s.top : s.top + s.side, s.left : s.left + s.side].mean() for s in squares]
    assert 0 < max(shares) <= 0.3


def test_kept_leaves_a_band_where_the_hole_goes_on():
    hole = with_boxes(600, 400, (0, 100, 600, 150))
    squares = next_pieces(hole[100:150], (0, 100, 600, 150), width=600, height=400, side=160, largest_share=0.4)
    band = 160 // CELLS
    for square in squares:
        _, columns = kept(square, hole)
        assert columns.start == (0 if square.left == 0 else square.left + band)
        assert columns.stop == (600 if square.left + 160 == 600 else square.left + 160 - band)


def test_mirrored_goes_back_and_forth():
    assert mirrored(-3, 12, 4).tolist() == [3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert mirrored(-2, 4, 1).tolist() == [0, 0, 0, 0]
    assert (placed(5, 4, 20), placed(0, 4, 20), placed(19, 4, 20), placed(3, 9, 4)) == (3, 0, 16, -2)
