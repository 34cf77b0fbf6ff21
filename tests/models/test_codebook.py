"""The codebook: nearest entry, straight-through gradients, loss terms."""

import pytest
import torch

from maskgit_lab.models.codebook import Codebook

pytestmark = pytest.mark.processor

CODES, DIM = 17, 6


@pytest.fixture(params=[False, True], ids=["plain", "normalized"])
def codebook(request: pytest.FixtureRequest) -> Codebook:
    torch.manual_seed(0)
    book = Codebook(num_codebook_vectors=CODES, latent_dim=DIM, beta=0.25, normalize=request.param)
    torch.nn.init.normal_(book.embedding.weight)
    return book


def latents(seed: int = 1) -> torch.Tensor:
    return torch.randn(2, DIM, 3, 4, generator=torch.Generator().manual_seed(seed))


def test_nearest_equals_brute_force(codebook: Codebook) -> None:
    rows = codebook.latents(latents())
    distance = (rows[:, :, None] - codebook.codes()[None, None]).square().sum(-1)
    assert torch.equal(codebook.nearest(rows), distance.argmin(-1))


def test_nearest_of_a_code_is_its_index(codebook: Codebook) -> None:
    tokens = torch.arange(CODES)[None]
    assert torch.equal(codebook.nearest(codebook.lookup(tokens)), tokens)


def test_codebook_quantizes_each_cell_to_its_looked_up_code(codebook: Codebook) -> None:
    output = codebook(latents())
    rows = output.quantized.flatten(2).transpose(1, 2)
    torch.testing.assert_close(rows, codebook.lookup(output.tokens))


def test_codebook_tokens_run_row_by_row() -> None:
    book = Codebook(num_codebook_vectors=12, latent_dim=1)
    with torch.no_grad():
        book.embedding.weight.copy_(torch.arange(12.0)[:, None])
    z = torch.arange(12.0).view(1, 1, 3, 4)
    assert torch.equal(book(z).tokens, torch.arange(12)[None])


def test_codebook_passes_gradients_straight_through() -> None:
    book = Codebook(num_codebook_vectors=CODES, latent_dim=DIM)
    z = latents().requires_grad_()
    weights = torch.randn(z.shape, generator=torch.Generator().manual_seed(2))
    (book(z).quantized * weights).sum().backward()
    torch.testing.assert_close(z.grad, weights)


def test_codebook_loss_weighs_commitment_by_one_and_the_codebook_term_by_beta(codebook: Codebook) -> None:
    z = latents().requires_grad_()
    output = codebook(z)
    distance = (codebook.latents(z) - codebook.lookup(output.tokens)).square().mean()
    torch.testing.assert_close(output.loss, 1.25 * distance)
    (to_latents,) = torch.autograd.grad(distance, z, retain_graph=True)
    (to_codes,) = torch.autograd.grad(distance, codebook.embedding.weight, retain_graph=True)
    found = torch.autograd.grad(output.loss, [z, codebook.embedding.weight])
    torch.testing.assert_close(found[0], to_latents)
    torch.testing.assert_close(found[1], 0.25 * to_codes)


def test_codebook_that_is_normalized_ignores_the_length_of_latents() -> None:
    book = Codebook(num_codebook_vectors=CODES, latent_dim=DIM, normalize=True)
    torch.testing.assert_close(book(latents()).quantized, book(7 * latents()).quantized)


def test_codebook_tokens_are_the_same_under_bf16_autocast(codebook: Codebook) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        tokens, direct = codebook(latents()).tokens, codebook.nearest(codebook.latents(latents()))
    assert torch.equal(tokens, codebook(latents()).tokens)
    assert torch.equal(tokens, direct)
