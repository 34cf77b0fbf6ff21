"""The codebook of a VQGAN: the nearest code replaces each latent vector (van den Oord et al. 2017).

Distances and losses are computed in float32 under any autocast: near ties decide which token a cell gets.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class CodebookOutput:
    """Quantised latents."""

    quantized: Tensor  # (B, C, h, w), gradients pass straight through
    loss: Tensor  # scalar: commitment + beta * codebook
    tokens: Tensor  # (B, h * w) int64, row by row


class Codebook(nn.Module):
    """Nearest-code quantisation by squared L2 distance.

    Args:
        num_codebook_vectors: K, codes.
        latent_dim: C, dimensions of a code.
        beta: weight of the codebook term of the loss (lab protocol; the commitment term has weight 1).
        normalize: compare and return vectors of length sqrt(C), so that only their direction counts, which keeps more codes in use.
    """

    def __init__(self, *, num_codebook_vectors: int, latent_dim: int, beta: float = 0.25, normalize: bool = False) -> None:
        super().__init__()
        self.beta = beta
        self.normalize = normalize
        self.embedding = nn.Embedding(num_codebook_vectors, latent_dim)
        nn.init.uniform_(self.embedding.weight, -1 / num_codebook_vectors, 1 / num_codebook_vectors)

    def codes(self) -> Tensor:
        """Return the codes (K, C) float32 as they are compared and returned."""
        return self._scaled(self.embedding.weight)

    def latents(self, z: Tensor) -> Tensor:
        """Return latents (B, C, h, w) as float32 rows (B, h * w, C), normalised where the codes are."""
        return self._scaled(z.flatten(2).transpose(1, 2))

    def _scaled(self, vectors: Tensor) -> Tensor:
        vectors = vectors.float()
        # length sqrt(C), not 1: components of size 1 suit the decoder's initialisation whatever C is
        return F.normalize(vectors, dim=-1) * vectors.shape[-1] ** 0.5 if self.normalize else vectors

    def nearest(self, rows: Tensor) -> Tensor:
        """Return the index (...) int64 of the nearest code for rows (..., C); on a tie the lowest."""
        with torch.autocast(rows.device.type, enabled=False):
            rows, codes = rows.float(), self.codes()
            # |z - e|^2 without the term |z|^2, which is the same for every code
            return (codes.square().sum(-1) - 2 * rows @ codes.T).argmin(-1)

    def lookup(self, tokens: Tensor) -> Tensor:
        """Return code vectors (B, N, C) of tokens (B, N) in [0, K)."""
        return F.embedding(tokens, self.codes())

    def forward(self, z: Tensor) -> CodebookOutput:
        """Quantise latents (B, C, h, w)."""
        with torch.autocast(z.device.type, enabled=False):
            rows = self.latents(z)
            tokens = self.nearest(rows.detach())
            codes = self.lookup(tokens)
            loss = F.mse_loss(rows, codes.detach()) + self.beta * F.mse_loss(codes, rows.detach())
            straight = rows + (codes - rows).detach()
        return CodebookOutput(straight.transpose(1, 2).reshape(z.shape), loss, tokens)
