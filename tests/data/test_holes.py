import numpy as np
import pytest

from maskgit_lab.data.hole_shapes import HoleShape
from maskgit_lab.data.holes import STYLES, draw_hole_for, draw_holes

pytestmark = pytest.mark.thorough


def shares(holes: np.ndarray) -> np.ndarray:
    return holes.mean(axis=(1, 2))


def is_rectangle(hole: np.ndarray) -> bool:
    rows, columns = hole.any(axis=1), hole.any(axis=0)
    return bool(hole.sum() == rows.sum() * columns.sum() and (np.diff(np.flatnonzero(rows)) == 1).all())


@pytest.mark.parametrize("style", STYLES)
def test_draw_holes_gives_booleans_of_the_asked_size(style: str) -> None:
    holes = draw_holes(style=style, seed=0, indices=range(3), resolution=32)
    assert holes.shape == (3, 32, 32)
    assert holes.dtype == np.bool_


@pytest.mark.parametrize("style", STYLES)
def test_draw_holes_depends_on_seed_and_index_alone(style: str) -> None:
    many = draw_holes(style=style, seed=3, indices=range(20), resolution=64)
    few = draw_holes(style=style, seed=3, indices=[17, 4], resolution=64)
    np.testing.assert_array_equal(few, many[[17, 4]])


@pytest.mark.parametrize("style", ["brush", "walk", "box", "half"])
def test_draw_holes_with_another_seed_gives_other_holes(style: str) -> None:
    one, other = (draw_holes(style=style, seed=seed, indices=range(30), resolution=64) for seed in (0, 1))
    assert (one != other).any(axis=(1, 2)).sum() > 10


@pytest.mark.parametrize("style", ["brush", "walk", "box"])
@pytest.mark.parametrize("share", [(0.10, 0.30), (0.10, 0.12), (0.40, 0.60), (0.85, 0.95)])
def test_draw_holes_keeps_shares_within_their_range(style: str, share: tuple[float, float]) -> None:
    found = shares(draw_holes(style=style, seed=0, indices=range(60), resolution=64, share=share))
    assert share[0] <= found.min()
    assert found.max() <= share[1]


@pytest.mark.parametrize("style", ["brush", "walk"])
@pytest.mark.parametrize("resolution", [16, 100, 128])
def test_draw_holes_keeps_shares_at_other_resolutions(style: str, resolution: int) -> None:
    found = shares(draw_holes(style=style, seed=0, indices=range(40), resolution=resolution))
    assert found.min() >= 0.10
    assert found.max() <= 0.30


def test_draw_holes_brush_spreads_shares_over_the_whole_range() -> None:
    found = shares(draw_holes(style="brush", seed=0, indices=range(400), resolution=64))
    counts, _ = np.histogram(found, bins=4, range=(0.10, 0.30))
    assert counts.min() > 60  # 100 each if even


def test_draw_holes_brush_is_different_each_time_and_reaches_every_pixel() -> None:
    holes = draw_holes(style="brush", seed=0, indices=range(400), resolution=64)
    assert len(np.unique(holes.reshape(400, -1), axis=0)) == 400
    assert holes.any(axis=0).all()


def test_draw_holes_brush_is_irregular() -> None:
    holes = draw_holes(style="brush", seed=0, indices=range(50), resolution=64)
    assert not any(is_rectangle(hole) for hole in holes)


def test_draw_holes_brush_strokes_are_thick_not_dust() -> None:
    holes = draw_holes(style="brush", seed=0, indices=range(50), resolution=64)
    inner = holes[:, 1:-1, 1:-1] & holes[:, :-2, 1:-1] & holes[:, 2:, 1:-1] & holes[:, 1:-1, :-2] & holes[:, 1:-1, 2:]
    assert inner.sum() / holes.sum() > 0.5  # most hole pixels have hole on all four sides


def test_draw_holes_walk_is_one_way_that_goes_from_pixel_to_pixel() -> None:
    for hole in draw_holes(style="walk", seed=0, indices=range(20), resolution=32):
        reached = np.zeros_like(hole)
        reached[tuple(np.argwhere(hole)[0])] = True
        while True:
            wide = np.pad(reached, 1)
            grown = hole & (wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:])
            if (grown == reached).all():
                break
            reached = grown
        np.testing.assert_array_equal(reached, hole)


def test_draw_holes_walk_hides_as_a_walk_does_that_stays_at_the_border() -> None:
    """Against the walk written out: a step over the border is not made."""
    rng = np.random.default_rng(0)
    walked = np.zeros((120, 64, 64), dtype=bool)
    for hole in walked:
        target, (row, column) = rng.uniform(0.1, 0.3), rng.integers(0, 64, 2)
        while hole.mean() < target:
            down, right = [(0, 1), (0, -1), (1, 0), (-1, 0)][rng.integers(4)]
            row, column = min(max(row + down, 0), 63), min(max(column + right, 0), 63)
            hole[row, column] = True
    drawn = draw_holes(style="walk", seed=0, indices=range(400), resolution=64)
    one, other = (HoleShape.of(holes, cell=4) for holes in (drawn, walked))
    assert one.whole == pytest.approx(other.whole, abs=0.03)
    assert one.cells == pytest.approx(other.cells, abs=0.03)
    assert drawn[:, 0].mean() == pytest.approx(walked[:, 0].mean(), abs=0.05)  # the border is visited as often


def test_draw_holes_walk_is_the_same_at_twice_the_resolution() -> None:
    small, large = (draw_holes(style="walk", seed=0, indices=range(5), resolution=side) for side in (64, 128))
    np.testing.assert_array_equal(large, small.repeat(2, 1).repeat(2, 2))


def test_draw_holes_box_is_one_rectangle_of_varying_aspect() -> None:
    holes = draw_holes(style="box", seed=0, indices=range(60), resolution=64)
    assert all(is_rectangle(hole) for hole in holes)
    aspects = holes.any(axis=1).sum(axis=1) / holes.any(axis=2).sum(axis=1)
    assert aspects.min() < 0.8
    assert aspects.max() > 1.25


def test_draw_holes_centre_is_the_same_centred_square_of_the_mean_share() -> None:
    holes = draw_holes(style="centre", seed=0, indices=range(3), resolution=64)
    assert (holes == holes[0]).all()
    assert is_rectangle(holes[0])
    np.testing.assert_array_equal(holes[0], holes[0, ::-1, ::-1])
    assert shares(holes)[0] == pytest.approx(0.20, abs=0.02)


def test_draw_holes_half_covers_each_of_the_four_halves() -> None:
    holes = draw_holes(style="half", seed=0, indices=range(40), resolution=32)
    assert (shares(holes) == 0.5).all()
    assert all(is_rectangle(hole) for hole in holes)
    assert len(np.unique(holes.reshape(40, -1), axis=0)) == 4


def test_draw_holes_refuses_an_unknown_style_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"data\.hole_style must be one of brush, walk, box, centre, half, got 'circle'"):
        draw_holes(style="circle", seed=0, indices=[0], resolution=32)


@pytest.mark.parametrize("share", [(0.3, 0.1), (0.0, 0.3), (0.2, 0.2), (0.5, 1.2), (-0.1, 0.3)])
def test_draw_holes_refuses_a_bad_share_range(share: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"data\.hole_share must be two shares 0 < least < largest <= 1"):
        draw_holes(style="brush", seed=0, indices=[0], resolution=32, share=share)


def test_draw_hole_for_is_the_squares_hole_stretched_to_the_image():
    (square,) = draw_holes(style="brush", seed=3, indices=[5], resolution=64)
    np.testing.assert_array_equal(draw_hole_for(64, 64, style="brush", seed=3, index=5), square)
    wide = draw_hole_for(1600, 1000, style="brush", seed=3, index=5)
    assert wide.shape == (1000, 1600)
    assert 0.08 < wide.mean() < 0.32
    assert draw_hole_for(1, 7, style="centre", seed=0, index=0).shape == (7, 1)
