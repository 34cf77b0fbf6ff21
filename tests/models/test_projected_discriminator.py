"""Heads on frozen features."""

from pathlib import Path

import pytest
import torch

from maskgit_lab.models.projected_discriminator import ProjectedDiscriminator
from maskgit_lab.models.squeezenet import SqueezeNet


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    state = {name.replace("layers.", "features."): value for name, value in SqueezeNet().state_dict().items()}
    torch.save(state, tmp_path / "squeezenet.pth")
    return tmp_path / "squeezenet.pth"


def test_projected_discriminator_trains_its_heads_only_and_passes_gradients_to_images(weights: Path) -> None:
    network = ProjectedDiscriminator(weights=weights, mean=[0.5] * 3, std=[0.25] * 3)
    assert all(name.startswith("heads.") for name in network.state_dict())
    assert all(name.startswith("heads.") for name, _ in network.named_parameters())
    images = torch.randn(2, 3, 64, 64, requires_grad=True)
    logits = network(images)
    assert logits.shape == (2, 14**2 * 2 + 7**2 * 3 + 3**2)
    logits.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(p.grad is not None for p in network.parameters())


def test_projected_discriminator_judges_pixels_whatever_their_normalisation(weights: Path) -> None:
    torch.manual_seed(0)
    network = ProjectedDiscriminator(weights=weights, mean=[0.5] * 3, std=[0.25] * 3)
    other = ProjectedDiscriminator(weights=weights, mean=[0.1, 0.2, 0.3], std=[1.0] * 3)
    other.load_state_dict(network.state_dict())
    pixels = torch.rand(2, 3, 64, 64)
    mean = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    torch.testing.assert_close(network((pixels - 0.5) / 0.25), other(pixels - mean), rtol=1e-3, atol=1e-4)
