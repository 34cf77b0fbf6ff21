"""The other side of the benchmarks gives our results: a slow listing that computed something else would prove nothing."""

import pytest
import torch

from benchmarks.listing import ListingTransformer, decode_image, decode_table, listing_of, training_step
from maskgit_lab.core.schedules import Cosine, Linear, Square
from maskgit_lab.models.transformer import BidirectionalTransformer
from maskgit_lab.models.vqgan import VQGAN
from tests.support.oracle import decode_with

pytestmark = pytest.mark.processor


def ours() -> BidirectionalTransformer:
    torch.manual_seed(0)
    model = BidirectionalTransformer(
        num_image_tokens=16, num_codebook_vectors=12, dim=32, num_layers=2, num_heads=4, hidden_dim=48, dropout=0.1,
        attention_dropout=0.1,
    )  # fmt: skip
    torch.nn.init.normal_(model.bias)
    for parameter in model.parameters():
        parameter.data.mul_(3)  # small weights would make every prediction alike
    return model.eval()


def vqgan() -> VQGAN:
    torch.manual_seed(1)
    return VQGAN(
        enc_channels=[8, 8, 8, 8], dec_channels=[8, 8, 8], latent_dim=4, img_resolution=16, latent_resolution=4,
        num_codebook_vectors=12, beta=0.25,
    ).eval()  # fmt: skip


def test_listing_of_gives_our_logits():
    model = ours()
    tokens = torch.randint(13, (3, 16))
    torch.testing.assert_close(listing_of(model)(tokens), model(tokens), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("schedule", [Linear(), Cosine(), Square()], ids=repr)
@pytest.mark.parametrize("sweet_spot", [3, 7])
def test_decode_image_gives_our_tokens(schedule, sweet_spot):
    model, stage_1 = ours(), vqgan()
    images, mask = torch.randn(4, 3, 16, 16), torch.rand(4, 16) < torch.tensor([[0.2], [0.5], [0.8], [1.0]])
    expected = decode_with(
        model, stage_1.encode(images), mask, schedule=schedule, num_steps=7, sweet_spot=sweet_spot,
        choice_temperature=0, mask_token_id=12,
    )  # fmt: skip
    for i in range(4):
        tokens, pictures = decode_image(
            listing_of(model), stage_1, images[i : i + 1], mask[i], schedule=schedule, sweet_spot=sweet_spot,
            choice_temperature=0,
        )  # fmt: skip
        assert torch.equal(tokens, expected.tokens[i])
        torch.testing.assert_close(pictures[-1], stage_1.decode(expected.tokens[i : i + 1]))
        assert len(pictures) == sweet_spot


def test_decode_table_has_a_whole_decode_for_every_cell():
    listing = listing_of(ours())
    calls = []
    listing.register_forward_hook(lambda *_: calls.append(1))
    cells = decode_table(
        listing, vqgan(), torch.randn(2, 3, 16, 16), torch.ones(2, 16, dtype=torch.bool), schedules=[Linear(), Cosine()],
        sweet_spots=[1, 3],
    )  # fmt: skip
    assert [len(cell) for cell in cells] == [2, 2, 2, 2]
    assert len(calls) == 2 * 2 * (1 + 3)


def test_training_step_lets_the_listing_learn():
    torch.manual_seed(0)
    listing = ListingTransformer(num_image_tokens=16, num_codebook_vectors=12, dim=32, num_layers=1, num_heads=4, hidden_dim=48)
    optimizer = torch.optim.Adam(listing.parameters(), lr=3e-3)
    images, stage_1 = torch.randn(4, 3, 16, 16), vqgan()
    losses = [training_step(listing, stage_1, optimizer, images, Cosine()) for _ in range(40)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
