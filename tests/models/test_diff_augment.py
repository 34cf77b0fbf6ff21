"""What a discriminator sees instead of the images."""

import torch

from maskgit_lab.models.diff_augment import diff_augment


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_diff_augment_changes_each_image_in_its_own_way_and_the_same_way_again() -> None:
    images = torch.randn(1, 3, 32, 48, generator=noise(1)).expand(4, -1, -1, -1)
    changed = diff_augment(images, noise())
    assert changed.shape == images.shape
    assert torch.equal(changed, diff_augment(images, noise()))
    assert not torch.equal(changed, diff_augment(images, noise(2)))
    assert all(not torch.equal(changed[0], other) for other in changed[1:])


def test_diff_augment_cuts_out_a_box_and_moves_by_an_eighth_at_most() -> None:
    white = torch.full((64, 1, 32, 32), 100.0)  # far from 0 in any brightness
    gone = diff_augment(white, noise())[:, 0].abs() < 1
    assert (gone.sum((1, 2)) >= 8 * 8).all()  # a box of 16 x 16 around a corner, at least
    assert (gone.sum((1, 2)) <= 16 * 16 + 2 * 4 * 32).all()


def test_diff_augment_passes_gradients_to_what_is_still_seen() -> None:
    images = torch.randn(8, 3, 16, 16, generator=noise(1)).requires_grad_()
    diff_augment(images, noise()).square().sum().backward()
    assert images.grad is not None
    assert (images.grad.abs().sum((1, 2, 3)) > 0).all()
