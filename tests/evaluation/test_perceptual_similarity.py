"""LPIPS: torchmetrics' own, with the file to put where when its weights are missing."""

from pathlib import Path

import pytest
import torch
import torchvision

from maskgit_lab.evaluation.perceptual_similarity import FILES, build_lpips


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def test_build_lpips_uses_weights_at_hand(hub: Path):
    hub.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), hub / FILES["squeeze"])
    lpips = build_lpips("squeeze")
    images = torch.rand(2, 3, 64, 64)
    assert float(lpips(images, images)) == pytest.approx(0, abs=1e-6)
    assert float(lpips(images, 1 - images)) > 0


def test_build_lpips_names_file_and_folder_of_missing_weights(hub: Path, monkeypatch: pytest.MonkeyPatch):
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(FileNotFoundError, match=rf"lpips=squeeze needs torchvision's {FILES['squeeze']} in {hub}"):
        build_lpips("squeeze")


def test_build_lpips_refuses_other_networks():
    with pytest.raises(ValueError, match="lpips must be one of squeeze, alex, vgg or null, got 'resnet'"):
        build_lpips("resnet")
