"""The context reads known pixels and nothing under the hole."""

import pytest
import torch

from maskgit_lab.models.context import PixelContext

pytestmark = pytest.mark.processor


def example():
    torch.manual_seed(0)
    images = torch.rand(2, 3, 32, 32)
    holes = torch.zeros(2, 32, 32, dtype=torch.bool)
    holes[:, 8:20, 9:22] = True
    return PixelContext(dim=24, grid=8, resolution=32, channels=16, num_blocks=2), images, holes


def test_pixel_context_ignores_pixels_under_the_hole():
    context, images, holes = example()
    other = torch.where(holes[:, None], torch.rand_like(images), images)
    assert torch.equal(context(images, holes), context(other, holes))


def test_pixel_context_sees_known_pixels_of_a_touched_cell():
    context, images, holes = example()
    other = images.clone()
    other[0, :, 8, 8] = 1 - other[0, :, 8, 8]  # a known pixel of cell (2, 2), which the hole touches
    assert not torch.equal(context(images, holes)[0, 2 * 8 + 2], context(other, holes)[0, 2 * 8 + 2])


def test_pixel_context_gives_one_vector_per_cell():
    context, images, holes = example()
    assert context(images, holes).shape == (2, 64, 24)
