"""Packing chosen positions of a batch and putting them back."""

import torch

from maskgit_lab.fast.positions import Positions

MASK = torch.tensor([[False, True, True, False], [False] * 4, [True, False, True, True]])


def positions(mask: torch.Tensor = MASK) -> Positions:
    return Positions.of(mask, mask.sum(1).tolist())


def test_rows_are_those_of_the_mask_image_by_image():
    assert positions().rows.tolist() == MASK.flatten().nonzero().flatten().tolist()
    assert (len(positions()), positions().width) == (5, 3)


def test_taking_equals_indexing_with_the_mask():
    grids = torch.randn(3, 4, 2)
    assert torch.equal(positions().take(grids), grids[MASK])


def test_spreading_pads_each_image_with_zeros_and_packing_undoes_it():
    packed = torch.arange(1.0, 6)[:, None]
    padded = positions().spread(packed)
    assert padded[..., 0].tolist() == [[1, 2, 0], [0, 0, 0], [3, 4, 5]]
    assert torch.equal(positions().pack(padded), packed)


def test_a_batch_without_any_position_is_empty():
    none = positions(torch.zeros(2, 4, dtype=torch.bool))
    assert len(none) == 0
    assert none.spread(torch.empty(0, 5)).shape == (2, 1, 5)
    assert none.pack(torch.empty(2, 1, 5)).shape == (0, 5)
