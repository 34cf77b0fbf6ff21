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


def test_composite_blended_keeps_known_pixels_and_fades_the_step_at_the_rim():
    images = torch.full((2, 16, 16, 3), 200, dtype=torch.uint8)
    filled = torch.full((2, 16, 16, 3), 100, dtype=torch.uint8)
    holes = torch.zeros(2, 16, 16, dtype=torch.bool)
    holes[0, 3:14, 3:14] = True
    holes[1] = True  # nothing is known: nothing to blend with
    mixed = composite(filled, images, holes, blend=3)
    assert torch.equal(mixed[~holes], images[~holes])
    assert mixed[0, 8, 2:9, 0].tolist() == [200, 175, 150, 125, 100, 100, 100]
    assert torch.equal(mixed[1], filled[1])


def test_composite_blended_equals_the_plain_loop():
    rng = torch.Generator().manual_seed(0)
    images, filled = (torch.randint(0, 256, (1, 9, 9, 3), dtype=torch.uint8, generator=rng) for _ in range(2))
    holes = torch.rand(1, 9, 9, generator=rng) < 0.85
    error = {}
    for y in range(9):
        for x in range(9):
            if not holes[0, y, x]:
                error[y, x] = images[0, y, x].double() - filled[0, y, x].double()
    expected = filled[0].double()
    for ring in (1, 2):
        reached = dict(error)
        for y in range(9):
            for x in range(9):
                near = [reached[y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (y + dy, x + dx) in reached]
                if (y, x) not in reached and near:
                    error[y, x] = torch.stack(near).mean(0)
                    expected[y, x] += error[y, x] * (1 - ring / 3)
    expected = torch.where(holes[0, ..., None], expected.clamp(0, 255), images[0].double())
    assert (composite(filled, images, holes, blend=2)[0].double() - expected).abs().max() <= 0.51  # rounded to 8 bits
