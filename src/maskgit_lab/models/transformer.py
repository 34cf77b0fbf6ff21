"""The bidirectional transformer that predicts hidden tokens.

Sizes and initialisation follow the lab's network (15 post-norm blocks at its `base` size); the module is written with one fused
query-key-value projection, which equals the lab's to float32 rounding.
"""

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAYER_NORM_EPS = 1e-12  # the lab's value; the larger defaults change its checkpoints' outputs
INIT_STD = 0.02


class SelfAttention(nn.Module):
    """Multi-head self-attention over all positions, no causal mask."""

    def __init__(self, *, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"model.dim ({dim}) must be a multiple of model.num_heads ({num_heads})")
        self.num_heads = num_heads
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, dim) to (B, N, dim)."""
        heads = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))  # (B, N, 3, heads, d)
        q, k, v = (part.transpose(1, 2) for part in heads.unbind(2))  # (B, heads, N, d) each
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and MLP, each with a residual; LayerNorm after the sum (the lab) or before the branch (`norm_first`)."""

    def __init__(
        self, *, dim: int, num_heads: int, hidden_dim: int, dropout: float, attention_dropout: float, norm_first: bool
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = SelfAttention(dim=dim, num_heads=num_heads, dropout=attention_dropout)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim))
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, dim) to (B, N, dim)."""
        if self.norm_first:
            x = x + self.dropout(self.attention(self.norm1(x)))
            return x + self.dropout(self.mlp(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attention(x)))
        return self.norm2(x + self.dropout(self.mlp(x)))


class BidirectionalTransformer(nn.Module):
    """Predict every token from the visible ones.

    Args:
        num_image_tokens: N, positions in the token grid.
        num_codebook_vectors: V; the mask token is id V.
        dim: width of the residual stream, a multiple of num_heads.
        num_layers: blocks.
        num_heads: attention heads.
        hidden_dim: width inside the MLP.
        dropout: on the embeddings and on both branches of a block, in [0, 1).
        attention_dropout: on attention weights; above 0 it leaves torch's fused kernel on a CPU.
        norm_first: LayerNorm before the branches; trains faster at small sizes. The lab's network has it after.
        context_norm: normalise a context and the embeddings apart, then add them. Else their sum is normalised, and a context,
            which nothing bounds, grows in training until no token has a say.

    Raises:
        ValueError: naming the configuration key.
    """

    compiled = False  # whether `compile_blocks` was called

    def __init__(
        self,
        *,
        num_image_tokens: int,
        num_codebook_vectors: int,
        dim: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        dropout: float,
        attention_dropout: float = 0.0,
        norm_first: bool = False,
        context_norm: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"model.dropout must be in [0, 1), got {dropout}")
        self.num_image_tokens = num_image_tokens
        self.num_codebook_vectors = num_codebook_vectors
        self.mask_token_id = num_codebook_vectors
        self.dim = dim
        self.context_norm = context_norm
        self.token_embedding = nn.Embedding(num_codebook_vectors + 1, dim)
        self.position_embedding = nn.Parameter(torch.empty(num_image_tokens, dim))
        self.embedding_norm = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.dropout = nn.Dropout(dropout)
        block = functools.partial(
            Block, dim=dim, num_heads=num_heads, hidden_dim=hidden_dim, dropout=dropout, attention_dropout=attention_dropout,
            norm_first=norm_first,
        )  # fmt: skip
        self.blocks = nn.ModuleList(block() for _ in range(num_layers))
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim, eps=LAYER_NORM_EPS))
        self.bias = nn.Parameter(torch.zeros(num_image_tokens, num_codebook_vectors + 1))
        self.apply(_initialise)
        nn.init.trunc_normal_(self.position_embedding, std=INIT_STD)

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """Return logits.

        Args:
            tokens: (B, N) int64 in [0, V], V = hidden.
            context: (B, N, dim) added to the embeddings, for example the known pixels of each cell.

        Returns:
            (B, N, V + 1): similarity of each position's feature to every token embedding, plus a bias per position.
        """
        self.begin_pass()
        x = self.token_embedding(tokens) + self.position_embedding  # (B, N, dim)
        x = self.dropout(self.with_context(x, context))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.head(x), self.token_embedding.weight) + self.bias

    def with_context(self, embeddings: Tensor, context: Tensor | None) -> Tensor:
        """Return what the first block reads of embeddings and context, of the same shape (..., dim), or of embeddings alone."""
        if context is None:
            return self.embedding_norm(embeddings)
        if self.context_norm:
            return self.embedding_norm(embeddings) + F.layer_norm(context, (self.dim,))
        return self.embedding_norm(embeddings + context)

    def compile_blocks(self, **options: Any) -> None:
        """Compile every block in place: parameters keep their names, so checkpoints and resuming are not touched.

        Blocks are alike, so one graph serves all of them.

        Args:
            **options: of torch.compile, for example mode="reduce-overhead" for CUDA graphs.
        """
        self.compiled = True
        for block in self.blocks:
            block.compile(**options)

    def begin_pass(self) -> None:
        """Tell torch.compile that a pass through all blocks begins.

        Without gradients its CUDA graphs would take every block for a pass of its own, and write over what the one before it made.
        """
        if self.compiled:
            torch.compiler.cudagraph_mark_step_begin()


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.trunc_normal_(module.weight, std=INIT_STD)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
