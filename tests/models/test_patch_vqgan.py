"""The patch tokenizer keeps the VQGAN's promises."""

from typing import Any

import pytest
import torch

from maskgit_lab.models.patch_vqgan import GridBlock, PatchVQGAN

pytestmark = pytest.mark.processor


@pytest.fixture
def model() -> PatchVQGAN:
    torch.manual_seed(0)
    return PatchVQGAN(
        channels=16, num_blocks=1, latent_dim=8, img_resolution=16, num_codebook_vectors=32, beta=0.25, pixel_channels=4
    ).eval()


def test_encode_gives_one_token_per_patch(model: PatchVQGAN) -> None:
    tokens = model.encode(torch.randn(2, 3, 16, 16))
    assert tokens.shape == (2, model.num_image_tokens)
    assert model.num_image_tokens == 16
    assert tokens.dtype == torch.int64


def test_forward_equals_encode_then_decode(model: PatchVQGAN) -> None:
    images = torch.randn(2, 3, 16, 16)
    output = model(images)
    assert torch.equal(output.tokens, model.encode(images))
    torch.testing.assert_close(output.images, model.decode(output.tokens))


def test_features_stand_on_the_token_grid(model: PatchVQGAN) -> None:
    assert model.features(torch.randn(1, 3, 16, 16)).shape == (1, 8, model.latent_resolution, model.latent_resolution)


def test_patch_vqgan_last_layer_is_the_decoders_last_weight(model: PatchVQGAN) -> None:
    assert model.last_layer is list(model.decoder.parameters())[-2]


def test_patch_vqgan_arguments_rebuild_the_same_network(model: PatchVQGAN) -> None:
    PatchVQGAN(**model.arguments).load_state_dict(model.state_dict())


def test_patch_vqgan_refuses_a_resolution_that_is_no_multiple_of_the_patch() -> None:
    with pytest.raises(ValueError, match=r"img_resolution \(18\) must be a multiple of patch_size \(4\)"):
        PatchVQGAN(channels=8, num_blocks=1, latent_dim=8, img_resolution=18, num_codebook_vectors=8, beta=0.25)


def test_patch_vqgan_decoder_may_be_deeper_than_its_encoder() -> None:
    sizes: dict[str, Any] = {
        "channels": 8, "num_blocks": 1, "latent_dim": 4, "img_resolution": 16, "num_codebook_vectors": 8, "beta": 0.25
    }  # fmt: skip
    deep, even = PatchVQGAN(**sizes, num_decoder_blocks=5), PatchVQGAN(**sizes)
    blocks = [sum(isinstance(layer, GridBlock) for layer in part.modules()) for part in (deep.encoder, deep.decoder, even.decoder)]
    assert blocks == [1, 5, 1]
    assert PatchVQGAN(**deep.arguments).state_dict().keys() == deep.state_dict().keys()
    old = {name: value for name, value in even.arguments.items() if name != "num_decoder_blocks"}
    PatchVQGAN(**old).load_state_dict(even.state_dict())
