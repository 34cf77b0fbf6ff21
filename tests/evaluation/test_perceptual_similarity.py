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
    assert lpips(images, images).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert (lpips(images, 1 - images) > 0).all()


def test_build_lpips_names_file_and_folder_of_missing_weights(hub: Path, monkeypatch: pytest.MonkeyPatch):
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(FileNotFoundError, match=rf"lpips=squeeze needs torchvision's {FILES['squeeze']} in {hub}"):
        build_lpips("squeeze")


def test_build_lpips_refuses_other_networks():
    with pytest.raises(ValueError, match="lpips must be one of squeeze, alex, vgg or null, got 'resnet'"):
        build_lpips("resnet")


def test_build_lpips_reads_a_file_as_it_reads_the_hub_folder(hub: Path, tmp_path: Path):
    for net, network in (("squeeze", torchvision.models.squeezenet1_1), ("alex", torchvision.models.alexnet)):
        hub.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        with torch.device("meta"):  # of a classifier with 58 million weights, of which LPIPS takes none, only the shapes
            shapes = {name: value.shape for name, value in network(weights=None).state_dict().items()}
        torch.save(
            {
                name: torch.randn(shape) / 20 if "features" in name else torch.zeros(1).expand(shape)
                for name, shape in shapes.items()
            },
            hub / FILES[net],
        )
        mine = tmp_path / f"{net}.pth"
        mine.write_bytes((hub / FILES[net]).read_bytes())
        images, others = torch.rand(2, 2, 3, 64, 64)
        found = build_lpips(net, mine)
        assert torch.equal(found(images, others), build_lpips(net)(images, others))
        assert found.protocol["lpips_weights"] == f"{net}.pth"


def test_build_lpips_refuses_a_file_that_is_not_there_or_of_another_network(tmp_path: Path):
    with pytest.raises(
        FileNotFoundError, match=f"lpips_weights: no file .*nowhere.pth; lpips=squeeze needs torchvision's {FILES['squeeze']}"
    ):
        build_lpips("squeeze", tmp_path / "nowhere.pth")
    torch.save(torchvision.models.squeezenet1_0(weights=None).state_dict(), tmp_path / "other.pth")
    with pytest.raises(ValueError, match=f"other.pth is not torchvision's {FILES['squeeze']}"):
        build_lpips("squeeze", tmp_path / "other.pth")
