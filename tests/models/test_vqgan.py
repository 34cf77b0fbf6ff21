"""The lab's VQGAN: its names and sizes, and what encode and decode promise."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from maskgit_lab.models.vqgan import VQGAN
from maskgit_lab.models.vqgan_blocks import AttentionBlock, GroupNorm

pytestmark = pytest.mark.processor

SHARED = Path(__file__).parents[2] / "../shared"
NAMES = SHARED / "lab/vqgan_state_dict.json"


def lab_vqgan() -> VQGAN:
    return VQGAN(
        image_channels=3,
        enc_channels=[128, 128, 128, 256, 256, 512],
        dec_channels=[128, 128, 256, 256, 512],
        latent_dim=256,
        img_resolution=64,
        latent_resolution=16,
        num_codebook_vectors=1024,
        beta=0.25,
    )


def small_vqgan(**changes: object) -> VQGAN:
    torch.manual_seed(0)
    arguments: dict[str, object] = {
        "image_channels": 3,
        "enc_channels": [8, 8, 8, 16, 16, 32],
        "dec_channels": [8, 8, 16, 16, 32],
        "latent_dim": 4,
        "img_resolution": 16,
        "latent_resolution": 4,
        "num_codebook_vectors": 32,
        "beta": 0.25,
    }
    return VQGAN(**{**arguments, **changes})  # type: ignore[arg-type]


def test_vqgan_of_lab_sizes_has_the_labs_parameter_count() -> None:
    with torch.device("meta"):
        model = lab_vqgan()
    assert sum(p.numel() for p in model.parameters()) == 70_775_299
    assert len(model.state_dict()) == 315


@pytest.mark.skipif(not NAMES.is_file(), reason="needs ../shared/lab/vqgan_state_dict.json")
def test_vqgan_names_shapes_and_order_are_the_labs() -> None:
    with torch.device("meta"):
        model = lab_vqgan()
    found = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert list(found.items()) == list(json.loads(NAMES.read_text()).items())


def test_encode_gives_one_token_per_cell() -> None:
    tokens = small_vqgan().encode(torch.randn(2, 3, 16, 16))
    assert tokens.shape == (2, 16)
    assert tokens.dtype == torch.int64


def test_decode_gives_images() -> None:
    assert small_vqgan().decode(torch.zeros(2, 16, dtype=torch.int64)).shape == (2, 3, 16, 16)


def test_forward_equals_encode_then_decode() -> None:
    model, images = small_vqgan().eval(), torch.randn(2, 3, 16, 16)
    output = model(images)
    assert torch.equal(output.tokens, model.encode(images))
    # z + (code - z) in float32 is not exactly the code
    torch.testing.assert_close(output.images, model.decode(output.tokens), rtol=1e-3, atol=1e-4)


def test_forward_sends_gradients_to_the_encoder() -> None:
    model = small_vqgan()
    model(torch.randn(1, 3, 16, 16)).images.sum().backward()
    first = model.encoder.model[0]
    assert isinstance(first, nn.Conv2d)
    assert first.weight.grad is not None
    assert first.weight.grad.abs().sum() > 0


def test_vqgan_arguments_rebuild_the_same_network() -> None:
    model = small_vqgan()
    VQGAN(**model.arguments).load_state_dict(model.state_dict())


def test_vqgan_is_built_with_any_channel_widths() -> None:
    model = small_vqgan(enc_channels=[32, 32, 32, 64, 64, 64], dec_channels=[32, 32, 64, 64, 64])
    assert model.encode(torch.randn(1, 3, 16, 16)).shape == (1, 16)


def test_attention_block_equals_the_written_out_softmax() -> None:
    torch.manual_seed(0)
    block, x = AttentionBlock(channels=32), torch.randn(2, 32, 3, 5)
    normed = block.norm(x)
    q, k, v = (layer(normed).flatten(2) for layer in (block.q, block.k, block.v))  # (B, C, N)
    weights = torch.softmax(torch.einsum("bci,bcj->bij", q, k) * 32**-0.5, dim=-1)
    mixed = torch.einsum("bij,bcj->bci", weights, v).view(x.shape)
    torch.testing.assert_close(block(x), x + F.conv2d(mixed, block.proj_out.weight, block.proj_out.bias))


def test_group_norm_refuses_channels_that_its_groups_cannot_divide() -> None:
    with pytest.raises(ValueError, match=r"multiple of it .*got 40"):
        GroupNorm(channels=40)


def test_vqgan_refuses_resolutions_that_do_not_halve() -> None:
    with pytest.raises(ValueError, match=r"img_resolution \(24\) must be a power of two times"):
        small_vqgan(img_resolution=24, latent_resolution=5)


def test_vqgan_refuses_too_few_stages_for_its_halvings() -> None:
    with pytest.raises(ValueError, match="dec_channels has 2 stages, too few for 2 halvings"):
        small_vqgan(dec_channels=[8, 8])
