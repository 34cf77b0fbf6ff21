"""Packing chosen positions of a batch and putting them back."""

import pytest
import torch

from maskgit_lab.fast.positions import Positions, round_up

MASK = torch.tensor([[False, True, True, False], [False] * 4, [True, False, True, True]])


def positions(mask: torch.Tensor = MASK) -> Positions:
    return Positions.of(mask, mask.sum(1).tolist())


def many(count: int = 70) -> Positions:
    """So many positions in one image that both they and their image's width are rounded up."""
    return positions((torch.arange(200) % 200 < count)[None].roll(100))


def test_rows_are_those_of_the_mask_image_by_image():
    assert positions().rows.tolist() == MASK.flatten().nonzero().flatten().tolist()
    assert (len(positions()), positions().width) == (5, 3)


@pytest.mark.parametrize(("count", "up"), [(0, 0), (1, 1), (63, 63), (65, 66), (127, 128), (129, 132), (1025, 1056)])
def test_round_numbers(count: int, up: int):
    assert round_up(count) == up


def test_round_numbers_are_few_and_near():
    assert all(count <= round_up(count) <= 1.032 * count for count in range(10_000))
    assert len({round_up(count) for count in range(512, 1024)}) == 33


def test_taking_equals_indexing_with_the_mask():
    grids = torch.randn(3, 4, 2)
    assert torch.equal(positions().take(grids), grids[MASK])


def test_filled_rows_begin_with_those_taken_and_repeat_one_of_them():
    grids = torch.randn(1, 200, 2)
    chosen = many(133)
    filled = chosen.take_filled(grids)
    assert len(filled) == 136
    assert torch.equal(filled[:133], chosen.take(grids))
    assert torch.equal(filled[133:], filled[:1].expand(3, 2))


def test_spreading_pads_each_image_with_zeros_and_packing_undoes_it():
    packed = torch.arange(1.0, 6)[:, None]
    padded = positions().spread(packed)
    assert padded[..., 0].tolist() == [[1, 2, 0], [0, 0, 0], [3, 4, 5]]
    assert torch.equal(positions().pack_filled(padded), packed)


def test_spreading_drops_the_filler_and_packing_brings_as_much_back():
    chosen = many(65)
    packed = torch.randn(66, 3)
    padded = chosen.spread(packed)
    assert padded.shape == (1, 66, 3)
    assert torch.equal(padded[0, :65], packed[:65])
    assert not padded[0, 65:].any()
    assert torch.equal(chosen.pack_filled(padded)[:65], packed[:65])
    assert chosen.pack_filled(padded).shape == packed.shape


def test_a_batch_without_any_position_is_empty():
    none = positions(torch.zeros(2, 4, dtype=torch.bool))
    assert (len(none), len(none.filled_rows)) == (0, 0)
    assert none.spread(torch.empty(0, 5)).shape == (2, 1, 5)
    assert none.pack_filled(torch.empty(2, 1, 5)).shape == (0, 5)
