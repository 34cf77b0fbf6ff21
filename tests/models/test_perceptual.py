"""The perceptual loss and the SqueezeNet below it."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from maskgit_lab.models.perceptual import CPU_IMAGES, PerceptualLoss
from maskgit_lab.models.squeezenet import SqueezeNet

SHARED_WEIGHTS = Path(__file__).parents[2] / "../shared/weights/squeezenet1_0_imagenet.pth"
needs_weights = pytest.mark.skipif(not SHARED_WEIGHTS.is_file(), reason="needs ../shared/weights")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    state = {name.replace("layers.", "features."): value for name, value in SqueezeNet().state_dict().items()}
    path = tmp_path / "squeezenet.pth"
    torch.save({**state, "classifier.1.weight": torch.zeros(1)}, path)
    return path


def pictures() -> torch.Tensor:
    """Smooth random images (2, 3, 64, 64) in [0, 1]."""
    coarse = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, 64, mode="bicubic").clamp(0, 1)


def test_perceptual_loss_of_equal_images_is_zero(weights: Path) -> None:
    assert PerceptualLoss(weights=weights)(pictures(), pictures()) == 0


def test_perceptual_loss_sends_gradients_to_the_images_and_not_to_the_weights(weights: Path) -> None:
    loss, images = PerceptualLoss(weights=weights), pictures().requires_grad_()
    loss(images, pictures().flip(3)).backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in loss.parameters())


def test_perceptual_loss_of_a_batch_that_no_part_divides_is_the_mean_over_its_images(weights: Path) -> None:
    images, targets = pictures().repeat(10, 1, 1, 1)[: CPU_IMAGES + 3], torch.zeros(CPU_IMAGES + 3, 3, 64, 64)
    images = images * torch.linspace(0.2, 1, len(images)).view(-1, 1, 1, 1)
    loss = PerceptualLoss(weights=weights)
    each = torch.stack([loss(a[None], b[None]) for a, b in zip(images, targets, strict=True)])
    torch.testing.assert_close(loss(images, targets), each.mean())


def test_squeezenet_features_are_the_last_of_each_resolution_and_width() -> None:
    activations = SqueezeNet().features(pictures())
    assert [x.shape[1] for x in activations] == [96, 128, 256, 384, 384, 512, 512]
    assert [x.shape[2] for x in activations] == [29, 14, 14, 7, 7, 7, 3]


def test_perceptual_loss_names_the_file_of_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere.pth.*torchvision squeezenet1_0"):
        PerceptualLoss(weights=tmp_path / "nowhere.pth")


@pytest.mark.parametrize("content", [{"layer.weight": torch.zeros(2)}, [1, 2]], ids=["other network", "no dict"])
def test_perceptual_loss_names_the_file_of_wrong_weights(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other.pth is not a torchvision squeezenet1_0"):
        PerceptualLoss(weights=tmp_path / "other.pth")


@needs_weights
def test_perceptual_loss_grows_with_noise_and_blur() -> None:
    loss, images = PerceptualLoss(weights=SHARED_WEIGHTS), pictures()
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    noisy = [loss((images + s * noise).clamp(0, 1), images) for s in (0.01, 0.05, 0.2)]
    blurred = [loss(F.avg_pool2d(images, k, 1, k // 2, count_include_pad=False), images) for k in (3, 7, 15)]
    assert noisy == sorted(noisy)
    assert blurred == sorted(blurred)


@needs_weights
def test_perceptual_loss_of_a_brightness_change_is_less_than_of_another_image() -> None:
    loss, images = PerceptualLoss(weights=SHARED_WEIGHTS), pictures()
    assert loss(images * 0.9, images) < 0.1 * loss(images.roll(1, 0), images)
