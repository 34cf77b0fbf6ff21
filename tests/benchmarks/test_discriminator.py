"""Whether a discriminator learns: what is blurred is told from what is not, and what is the same is not."""

import torch

from benchmarks.discriminator import learned, pairs
from maskgit_lab.models.discriminator import PatchDiscriminator
from maskgit_lab.training.adversary import AdversarySettings
from tests.support.builders import pictures, tokenizer


def test_a_discriminator_learns_what_differs_and_guesses_what_does_not():
    real = torch.rand(40, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made = torch.nn.functional.avg_pool2d(real, 3, stride=1, padding=1)
    found = {}
    for name, other in (("blurred", made), ("the same", real.clone())):
        torch.manual_seed(0)
        network = PatchDiscriminator(num_filters=8, num_layers=2, normalisation="group")
        found[name] = learned(network, AdversarySettings(gan_lr=2e-3), real, other, steps=40, batch_size=8)
    losses, right = found["blurred"]
    assert losses.shape == (40,)
    assert losses[-5:].mean() < 0.3
    assert right == 1.0
    losses, right = found["the same"]
    assert losses[-5:].mean() > 0.9
    assert right == 0.5


def test_pairs_are_images_and_what_the_tokenizer_makes_of_them():
    own, images = tokenizer(), pictures(5)
    real, made = pairs(own, images)
    given = torch.from_numpy(images)
    assert real.shape == made.shape == (5, 3, *images.shape[1:3])
    torch.testing.assert_close(own.pixels(real), given.permute(0, 3, 1, 2) / 255)
    torch.testing.assert_close(own.pixels(made), own.decode(own.encode(given)))
