"""Pixels: rounded to 8 bits, and the known ones put back."""

import torch

from maskgit_lab.core.pixels import composite, to_uint8


def test_to_uint8_rounds_and_does_not_cut():
    values = torch.tensor([0.0, 0.5 / 255, 1.4 / 255, 1.6 / 255, 254.6 / 255, 1.0])
    assert to_uint8(values.view(1, 1, 1, -1).expand(1, 3, 1, -1))[0, 0, :, 0].tolist() == [0, 0, 1, 2, 255, 255]


def test_composite_takes_the_hole_from_the_fill():
    images = torch.randint(1, 256, (2, 8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    holes = torch.zeros(2, 8, 8, dtype=torch.bool)
    holes[:, 2:5, 3:7] = True
    mixed = composite(torch.zeros_like(images), images, holes)
    assert (mixed[holes] == 0).all()
    assert torch.equal(mixed[~holes], images[~holes])
