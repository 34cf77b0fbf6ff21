"""Connected parts of masks, beside a plain flood fill."""

import numpy as np
import pytest

from maskgit_lab.repair.regions import Regions, cell_sums, connected


def flooded(cells: np.ndarray) -> np.ndarray:
    """Number the parts by a flood fill, in the order of their first cells."""
    labels = np.full(cells.shape, -1)
    for row, column in np.argwhere(cells):
        if labels[row, column] >= 0:
            continue
        number, todo = labels.max() + 1, [(row, column)]
        while todo:
            y, x = todo.pop()
            if not (0 <= y < cells.shape[0] and 0 <= x < cells.shape[1]) or not cells[y, x] or labels[y, x] >= 0:
                continue
            labels[y, x] = number
            todo += [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return labels


@pytest.mark.parametrize("seed", range(60))
def test_connected_parts_are_those_of_a_flood_fill(seed: int):
    rng = np.random.default_rng(seed)
    cells = rng.random(rng.integers(1, 24, 2)) < rng.choice([0.0, 0.1, 0.4, 0.6, 1.0])
    np.testing.assert_array_equal(connected(cells), flooded(cells))


def test_connected_follows_a_spiral():
    size = 41
    cells = np.zeros((size, size), bool)
    row = column = 0
    step, (dy, dx) = size - 1, (0, 1)
    lengths = [step, step, step, *(s for k in range(step - 2, 0, -2) for s in (k, k))]
    for length in lengths:
        for _ in range(length):
            cells[row, column] = True
            row, column = row + dy, column + dx
        dy, dx = dx, -dy
    assert connected(cells).max() == 0


def test_cell_sums_count_narrow_cells_at_the_end_too():
    values = np.random.default_rng(0).random((10, 7)) < 0.5
    sums = cell_sums(values, 4)
    assert sums.shape == (3, 2)
    assert sums[2, 1] == values[8:, 4:].sum()
    assert sums.sum() == values.sum()
    np.testing.assert_array_equal(cell_sums(values, 1), values)


def test_regions_have_the_area_and_the_box_of_their_holes():
    hole = np.zeros((50, 60), bool)
    hole[:10, :20] = True
    hole[30:35, 40:43] = True
    regions = Regions.of(hole, 4)
    assert [region.area for region in regions.found] == [200, 15]
    assert [region.box for region in regions.found] == [(0, 0, 20, 12), (40, 28, 44, 36)]
    numbers = regions.numbers(np.arange(50), np.arange(60))
    assert (numbers[:10, :20] == 0).all()
    assert (numbers[30:35, 40:43] == 1).all()


def test_regions_of_neighbouring_cells_are_one():
    hole = np.zeros((40, 40), bool)
    hole[3, 3] = hole[10, 10] = True  # cells (0, 0) and (2, 2)
    assert len(Regions.of(hole, 4).found) == 2
    hole[6, 6] = True
    assert len(Regions.of(hole, 4).found) == 1
    assert Regions.of(np.zeros((4, 4), bool), 4).found == []
