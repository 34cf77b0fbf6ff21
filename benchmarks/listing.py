"""The lab's own procedure, written plainly, as a course listing has it: the other side of every benchmark.

float32, eager, separate query, key and value projections, attention written out with dropout 0.1, every picture encoded by the
VQGAN in every step, Python loops over the batch for masks and top-k, one picture at a time in decoding with every step turned into
pixels, and one whole decode for every cell of the table. It is no straw man: nothing is slower than that way of writing makes it,
and it gives the results of this package.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.transformer import BidirectionalTransformer
from maskgit_lab.models.vqgan import VQGAN

DROPOUT = 0.1
CHOICE_TEMPERATURE = 4.5


class ListingAttention(nn.Module):
    """Multi-head attention, every product on its own line."""

    def __init__(self, *, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, dim) to (B, N, dim)."""
        batch, num_tokens, dim = x.shape
        q = self.q_proj(x).view(batch, num_tokens, self.num_heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(batch, num_tokens, self.num_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(batch, num_tokens, self.num_heads, self.head_dim).transpose(1, 2)
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(self.head_dim)
        weights = self.dropout(torch.softmax(scores, dim=-1))
        mixed = torch.matmul(weights, v).transpose(1, 2).reshape(batch, num_tokens, dim)
        return self.out_proj(mixed)


class ListingBlock(nn.Module):
    """Attention and MLP, LayerNorm after each sum."""

    def __init__(self, *, dim: int, num_heads: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.attention = ListingAttention(dim=dim, num_heads=num_heads, dropout=dropout)
        self.norm1 = nn.LayerNorm(dim, eps=1e-12)
        self.norm2 = nn.LayerNorm(dim, eps=1e-12)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, dim) to (B, N, dim)."""
        x = self.norm1(x + self.dropout(self.attention(x)))
        return self.norm2(x + self.dropout(self.mlp(x)))


class ListingTransformer(nn.Module):
    """The lab's transformer: tokens (B, N) to logits (B, N, V + 1)."""

    def __init__(
        self, *, num_image_tokens: int, num_codebook_vectors: int, dim: int, num_layers: int, num_heads: int,
        hidden_dim: int, dropout: float = DROPOUT,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mask_token_id = num_codebook_vectors
        self.tok_emb = nn.Embedding(num_codebook_vectors + 1, dim)
        self.pos_emb = nn.Parameter(torch.zeros(num_image_tokens, dim))
        self.norm = nn.LayerNorm(dim, eps=1e-12)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            ListingBlock(dim=dim, num_heads=num_heads, hidden_dim=hidden_dim, dropout=dropout) for _ in range(num_layers)
        )
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim, eps=1e-12))
        self.bias = nn.Parameter(torch.zeros(num_image_tokens, num_codebook_vectors + 1))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B, N, V + 1)."""
        x = self.dropout(self.norm(self.tok_emb(tokens) + self.pos_emb))
        for block in self.blocks:
            x = block(x)
        return torch.matmul(self.head(x), self.tok_emb.weight.T) + self.bias


def listing_of(model: BidirectionalTransformer) -> ListingTransformer:
    """Return the listing's transformer with the weights of ours."""
    heads, hidden = heads_and_hidden_dim(model)
    listing = ListingTransformer(
        num_image_tokens=model.num_image_tokens,
        num_codebook_vectors=model.num_codebook_vectors,
        dim=model.dim,
        num_layers=len(model.blocks),
        num_heads=heads,
        hidden_dim=hidden,
    )
    listing.load_state_dict(_listing_names(model.state_dict()))
    return listing.train(model.training)


def heads_and_hidden_dim(model: BidirectionalTransformer) -> tuple[int, int]:
    """Return how many heads our transformer has, and the width inside its MLP."""
    first: Any = model.blocks[0]
    return first.attention.num_heads, first.mlp[0].out_features


def _listing_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, value in state.items():
        if ".attention.qkv." in name:
            for projection, part in zip(("q_proj", "k_proj", "v_proj"), value.chunk(3), strict=True):
                renamed[name.replace("qkv", projection)] = part.clone()
            continue
        name = name.replace("attention.out.", "attention.out_proj.").replace("embedding_norm", "norm")
        renamed[name.replace("token_embedding", "tok_emb").replace("position_embedding", "pos_emb")] = value
    return renamed


def training_step(
    transformer: ListingTransformer,
    vqgan: VQGAN | PatchVQGAN,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    schedule: MaskSchedule,
) -> float:
    """Take one step on normalised pictures (B, 3, H, W): encode, hide, predict everything, learn from what was hidden."""
    with torch.no_grad():
        tokens = vqgan.encode(images)
    num_tokens = tokens.shape[1]
    hidden = torch.zeros_like(tokens, dtype=torch.bool)
    for i in range(len(tokens)):
        count = max(1, math.ceil(schedule(float(torch.rand(()))) * num_tokens))
        positions = torch.rand(num_tokens, device=tokens.device).topk(count).indices
        hidden[i, positions] = True
    masked = tokens.clone()
    masked[hidden] = transformer.mask_token_id
    logits = transformer(masked)
    loss = F.cross_entropy(logits[hidden], tokens[hidden])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@torch.no_grad()
def decode_image(
    transformer: ListingTransformer,
    vqgan: VQGAN | PatchVQGAN,
    image: Tensor,
    mask: Tensor,
    *,
    schedule: MaskSchedule,
    num_steps: int = 7,
    sweet_spot: int | None = None,
    choice_temperature: float = CHOICE_TEMPERATURE,
) -> tuple[Tensor, list[Tensor]]:
    """Fill one picture.

    Args:
        image: (1, 3, H, W), normalised, holes grey.
        mask: (N,) bool, True = hidden.

    Returns:
        Tokens (N,) and the picture (1, 3, H, W) after every step.
    """
    tokens = vqgan.encode(image)[0]
    tokens[mask] = transformer.mask_token_id
    hidden = mask.clone()
    hidden_at_start = int(mask.sum())
    prediction, pictures = tokens, []
    for step in range(num_steps if sweet_spot is None else sweet_spot):
        ratio = (step + 1) / num_steps
        logits = transformer(tokens[None])[0]
        logits[:, transformer.mask_token_id] = -math.inf
        probability, best = torch.softmax(logits, dim=-1).max(dim=-1)
        prediction = torch.where(hidden, best, tokens)
        gumbel = -torch.log(-torch.log(torch.rand(len(tokens), device=tokens.device).clamp(1e-9, 1 - 1e-7)))
        confidence = torch.log(probability) + choice_temperature * (1 - ratio) * gumbel
        confidence[~hidden] = math.inf
        keep = math.floor(schedule(ratio) * hidden_at_start + 1e-9)
        hidden = torch.zeros_like(hidden)
        hidden[confidence.topk(keep, largest=False).indices] = True
        tokens = prediction.clone()
        tokens[hidden] = transformer.mask_token_id
        pictures.append(vqgan.decode(prediction[None]))
    return prediction, pictures


def decode_images(
    transformer: ListingTransformer, vqgan: VQGAN | PatchVQGAN, images: Tensor, masks: Tensor, *, schedule: MaskSchedule,
    num_steps: int = 7, sweet_spot: int | None = None,
) -> list[Tensor]:  # fmt: skip
    """Fill pictures (B, 3, H, W) with hidden tokens (B, N), one after the other; return the final pictures."""
    finished = []
    for i in range(len(images)):
        _, pictures = decode_image(
            transformer, vqgan, images[i : i + 1], masks[i], schedule=schedule, num_steps=num_steps,
            sweet_spot=sweet_spot,
        )  # fmt: skip
        finished.append(pictures[-1])
    return finished


def decode_table(
    transformer: ListingTransformer, vqgan: VQGAN | PatchVQGAN, images: Tensor, masks: Tensor, *,
    schedules: Sequence[MaskSchedule], sweet_spots: Sequence[int], num_steps: int = 7,
) -> list[list[Tensor]]:  # fmt: skip
    """Fill the pictures anew for every schedule and sweet spot; return the final pictures of every cell."""
    return [
        decode_images(transformer, vqgan, images, masks, schedule=schedule, num_steps=num_steps, sweet_spot=sweet_spot)
        for schedule in schedules
        for sweet_spot in sweet_spots
    ]
