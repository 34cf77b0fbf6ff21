"""Loading the lab's VQGAN in every form its files take."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from maskgit_lab.interop.lab import load_vqgan
from maskgit_lab.models.vqgan import VQGAN

SIZES = {
    "small": {"enc_channels": [8, 8, 8, 16, 16, 32], "dec_channels": [8, 8, 16, 16, 32], "latent_dim": 6},
    "wider stem": {"enc_channels": [16, 8, 8, 16, 32, 8], "dec_channels": [8, 16, 8, 32, 8], "latent_dim": 4},
    "fewer stages": {"enc_channels": [8, 16, 16, 16], "dec_channels": [8, 16, 16], "latent_dim": 4},
}


def vqgan(**sizes: object) -> VQGAN:
    torch.manual_seed(0)
    return VQGAN(img_resolution=64, latent_resolution=16, num_codebook_vectors=24, beta=0.25, **sizes)  # type: ignore[arg-type]


def assert_same_weights(found: VQGAN, state: dict[str, Tensor]) -> None:
    assert found.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in found.state_dict().items())


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_load_vqgan_reads_sizes_off_the_tensors(tmp_path: Path, sizes: dict[str, object]) -> None:
    model = vqgan(**sizes)
    torch.save(model.state_dict(), tmp_path / "VQGAN.pt")
    loaded = load_vqgan(tmp_path / "VQGAN.pt")
    assert loaded.arguments == model.arguments
    assert_same_weights(loaded, model.state_dict())


@pytest.mark.parametrize("wrapper", ["model", "state_dict", "anything"])
@pytest.mark.parametrize("prefix", ["", "module.", "vqgan.", "model.vqgan."])
def test_load_vqgan_takes_wrapped_and_prefixed_files(tmp_path: Path, wrapper: str, prefix: str) -> None:
    state = vqgan(**SIZES["fewer stages"]).state_dict()
    content = {wrapper: {prefix + name: value for name, value in state.items()}, "epoch": 3}
    torch.save(content, tmp_path / "VQGAN.pt")
    assert_same_weights(load_vqgan(tmp_path / "VQGAN.pt"), state)


def test_load_vqgan_leaves_out_other_networks_in_the_file(tmp_path: Path) -> None:
    state = vqgan(**SIZES["fewer stages"]).state_dict()
    content = {f"vqgan.{name}": value for name, value in state.items()} | {"discriminator.0.weight": torch.zeros(2)}
    torch.save(content, tmp_path / "whole.pt")
    assert_same_weights(load_vqgan(tmp_path / "whole.pt"), state)


def test_load_vqgan_refuses_a_file_of_another_network_with_its_keys(tmp_path: Path) -> None:
    torch.save({"tok_emb.weight": torch.zeros(3, 2)}, tmp_path / "transformer.pt")
    with pytest.raises(ValueError, match=r"expected a tensor named codebook.embedding.weight .*found tok_emb.weight"):
        load_vqgan(tmp_path / "transformer.pt")


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_load_vqgan_refuses_a_state_dict_that_does_not_fit_strictly(tmp_path: Path, change: str) -> None:
    state = dict(vqgan(**SIZES["fewer stages"]).state_dict())
    if change == "missing":
        del state["encoder.model.2.block.0.gn.weight"]
    elif change == "extra":
        state["quant_conv.scale"] = torch.zeros(1)
    else:
        state["quant_conv.weight"] = torch.zeros(3, 3, 1, 1)
    torch.save(state, tmp_path / "VQGAN.pt")
    with pytest.raises(ValueError, match=r"is not the lab's VQGAN.*encoder.model.N"):
        load_vqgan(tmp_path / "VQGAN.pt")


def test_load_vqgan_refuses_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "VQGAN.pt").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ValueError, match=r"VQGAN.pt cannot be read as the lab's VQGAN"):
        load_vqgan(tmp_path / "VQGAN.pt")


def test_load_vqgan_refuses_other_objects_without_running_them(tmp_path: Path) -> None:
    torch.save({"model": Path("x")}, tmp_path / "VQGAN.pt")
    with pytest.raises(ValueError, match="without other objects"):
        load_vqgan(tmp_path / "VQGAN.pt")


def test_load_vqgan_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"the lab's VQGAN at .*none.pt"):
        load_vqgan(tmp_path / "none.pt")
