"""Holes from a bank: eight orientations, the same for pixels and cells."""

import torch

from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.randomness import generator
from maskgit_lab.data.hole_draw import HoleDraw
from tests.support.builders import boxes


def test_hole_draw_gives_holes_in_eight_orientations():
    bank = torch.from_numpy(boxes(3)[2:])
    drawn = HoleDraw.of(1, 256, generator(0, "holes")).holes(bank)
    assert len({hole.numpy().tobytes() for hole in drawn}) == 8


def test_hole_draw_turns_cells_as_their_pixels():
    bank = torch.from_numpy(boxes(7))
    draw = HoleDraw.of(7, 64, generator(1, "holes"))
    cells = token_mask(bank, grid=8).unflatten(1, (8, 8))
    assert torch.equal(draw.holes(cells).flatten(1), token_mask(draw.holes(bank), grid=8))
