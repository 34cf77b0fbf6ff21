"""The bidirectional transformer that predicts hidden tokens.

Sizes and initialisation follow the lab's network (15 post-norm blocks at its `base` size); the module is written with one fused
query-key-value projection, which equals the lab's to float32 rounding. Where only some positions are wanted, the last block and
the head run on those alone; where only some tokens changed, `refresh` recomputes them against the keys and values of the others.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.core.positions import Positions
from maskgit_lab.models.attention import attend
from maskgit_lab.models.dropout import Dropout
from maskgit_lab.models.projection import Projection
from maskgit_lab.models.remembered import Embedded, KeysValues

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
        self.qkv = Projection(dim, 3 * dim)
        self.out = Projection(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, dim) to (B, N, dim)."""
        return self.remembering(x)[0]

    def remembering(
        self, x: Tensor, positions: Positions | None = None, projected: Tensor | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Return the output (B, N, dim), or (F, dim) at some positions, which see all, and the keys and values behind it.

        `projected` is what `qkv` makes of x (B, N, 3 * dim), where that is known already.
        """
        if positions is None:
            q, k, v = (part.transpose(1, 2) for part in self._heads(self.qkv(x) if projected is None else projected, 3))
            return self.out(self._mixed(q, k, v).transpose(1, 2).flatten(2)), KeysValues(k, v)
        dim = x.shape[-1]
        if projected is None:
            kv, q = self.qkv(x, outputs=slice(dim, None)), self.qkv(positions.take_filled(x), outputs=slice(dim))
        else:
            kv, q = projected[..., dim:], positions.take_filled(projected[..., :dim])
        k, v = (part.transpose(1, 2) for part in self._heads(kv, 2))
        return self._packed(self._heads(q, 1)[0], k, v, positions), KeysValues(k, v)

    def refresh(self, x: Tensor, memory: KeysValues, changed: Positions, wanted: Positions | None = None) -> Tensor:
        """Map the changed rows (F, dim) to (F, dim), or to those `wanted` among them, against remembered keys and values."""
        q, k, v = self._heads(self.qkv(x), 3)
        memory.write(changed.rows, k[: len(changed)], v[: len(changed)])
        if wanted is not None:
            q = q.index_select(0, torch.searchsorted(changed.rows, wanted.filled_rows))
        return self._packed(q, memory.keys, memory.values, changed if wanted is None else wanted)

    def _heads(self, projected: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Split (..., parts * dim) into parts of (..., heads, d)."""
        return projected.unflatten(-1, (parts, self.num_heads, -1)).unbind(-3)

    def _mixed(self, q: Tensor, k: Tensor, v: Tensor, counts: Sequence[int] | None = None) -> Tensor:
        """Attend from (B, heads, Q, d), or from the first few of the Q, to (B, heads, N, d)."""
        return attend(q, k, v, dropout=self.dropout if self.training else 0.0, counts=counts)

    def _packed(self, q: Tensor, k: Tensor, v: Tensor, positions: Positions) -> Tensor:
        """Attend from packed queries (F, heads, d), each to its own image's (B, heads, N, d)."""
        mixed = self._mixed(positions.spread(q).transpose(1, 2), k, v, positions.counts)
        return self.out(positions.pack_filled(mixed.transpose(1, 2)).flatten(1))


class Block(nn.Module):
    """Attention and MLP, each with a residual; LayerNorm after the sum (the lab) or before the branch (`norm_first`)."""

    def __init__(
        self, *, dim: int, num_heads: int, hidden_dim: int, dropout: float, attention_dropout: float, norm_first: bool
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = SelfAttention(dim=dim, num_heads=num_heads, dropout=attention_dropout)
        # Identity: checkpoints, the lab's too, count GELU as a layer
        self.mlp = nn.Sequential(Projection(dim, hidden_dim, gelu=True), nn.Identity(), Projection(hidden_dim, dim))
        self.norm1 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.norm2 = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.dropout = Dropout(p=dropout)

    def forward(self, x: Tensor, projected: Tensor | None = None) -> Tensor:
        """Map (B, N, dim) to (B, N, dim); `projected` is what `project` makes of x, where that is known already."""
        return self.remembering(x, projected=projected)[0]

    def project(self, x: Tensor) -> Tensor:
        """Return queries, keys and values (..., 3 * dim) of (..., dim)."""
        return self.attention.qkv(self._attention_input(x))

    def remembering(
        self, x: Tensor, positions: Positions | None = None, projected: Tensor | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Return the output (B, N, dim), or (F, dim) at some positions, and the keys and values behind it."""
        before = self._attention_input(x) if projected is None else x
        mixed, memory = self.attention.remembering(before, positions, projected)
        return self._after_attention(x if positions is None else positions.take_filled(x), mixed), memory

    def refresh(self, x: Tensor, memory: KeysValues, changed: Positions, wanted: Positions | None = None) -> Tensor:
        """Map the changed rows (F, dim) to their output, or that of the `wanted` among them."""
        mixed = self.attention.refresh(self._attention_input(x), memory, changed, wanted)
        if wanted is not None:
            x = x.index_select(0, torch.searchsorted(changed.rows, wanted.filled_rows))
        return self._after_attention(x, mixed)

    def _attention_input(self, x: Tensor) -> Tensor:
        return self.norm1(x) if self.norm_first else x

    def _after_attention(self, x: Tensor, mixed: Tensor) -> Tensor:
        if self.norm_first:
            x = _plus(x, self.dropout(mixed))
            return _plus(x, self.dropout(self.mlp(self.norm2(x))))
        x = self.norm1(_plus(x, self.dropout(mixed)))
        return self.norm2(_plus(x, self.dropout(self.mlp(x))))


class BidirectionalTransformer(nn.Module):
    """Predict every token from the visible ones.

    Args:
        num_image_tokens: N, positions in the token grid.
        num_codebook_vectors: V; the mask token is id V.
        dim: width of the residual stream, a multiple of num_heads.
        num_layers: blocks.
        num_heads: attention heads.
        hidden_dim: width inside the MLP.
        dropout: on the embeddings and on both branches of a block.
        attention_dropout: on attention weights; above 0 it leaves torch's fused kernel on a GPU.
        norm_first: LayerNorm before the branches; trains faster at small sizes. The lab's network has it after.
    """

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
    ) -> None:
        super().__init__()
        self.num_image_tokens = num_image_tokens
        self.num_codebook_vectors = num_codebook_vectors
        self.mask_token_id = num_codebook_vectors
        self.dim = dim
        self.token_embedding = nn.Embedding(num_codebook_vectors + 1, dim)
        self.position_embedding = nn.Parameter(torch.empty(num_image_tokens, dim))
        self.embedding_norm = nn.LayerNorm(dim, eps=LAYER_NORM_EPS)
        self.dropout = Dropout(p=dropout)
        self.blocks = nn.ModuleList(
            Block(
                dim=dim,
                num_heads=num_heads,
                hidden_dim=hidden_dim,
                dropout=dropout,
                attention_dropout=attention_dropout,
                norm_first=norm_first,
            )
            for _ in range(num_layers)
        )
        self.head = nn.Sequential(Projection(dim, dim, gelu=True), nn.Identity(), nn.LayerNorm(dim, eps=LAYER_NORM_EPS))
        self.bias = nn.Parameter(torch.zeros(num_image_tokens, num_codebook_vectors + 1))
        self.apply(_initialise)
        nn.init.trunc_normal_(self.position_embedding, std=INIT_STD)

    def forward(self, tokens: Tensor, context: Tensor | None = None, positions: Positions | None = None) -> Tensor:
        """Return logits.

        Args:
            tokens: (B, N) int64 in [0, V], V = hidden.
            context: (B, N, dim) added to the embeddings, for example the known pixels of each cell.
            positions: where logits are wanted; None = everywhere.

        Returns:
            (B, N, V + 1), or (M, V + 1) with `positions`: similarity of each position's feature to every token embedding,
            plus a bias per position.
        """
        return self._through(self._embedding(tokens, context), positions)

    def embedded(self, tokens: Tensor, context: Tensor | None) -> Embedded:
        """Return what tokens (B, N) and context (B, N, dim) determine position by position."""
        x = self._embedding(tokens, context)
        return Embedded(x, self._first.project(x))

    def embed_again(self, embedded: Embedded, tokens: Tensor, context: Tensor | None, changed: Positions) -> None:
        """Write into `embedded` what became of the positions whose tokens changed."""
        x = self._embedding_at(tokens, context, changed)
        embedded.write(changed.rows, *(part[: len(changed)] for part in (x, self._first.project(x))))

    def from_embedded(self, embedded: Embedded, positions: Positions) -> Tensor:
        """Return logits (M, V + 1) at some positions: what `forward` returns for the same tokens and context."""
        return self._through(embedded.x, positions, embedded.projected)

    def remembering(
        self, tokens: Tensor, context: Tensor | None, positions: Positions
    ) -> tuple[Tensor, list[KeysValues]]:
        """Return logits (M, V + 1) at some positions and every block's keys and values for `refresh`."""
        x, memory = self._embedding(tokens, context), []
        for i, block in enumerate(self._blocks()):
            x, remembered = block.remembering(x, positions if i == self.last else None)
            memory.append(remembered.kept())
        return self._logits(x, positions), memory

    def refresh(
        self, tokens: Tensor, context: Tensor | None, memory: list[KeysValues], changed: Positions, wanted: Positions
    ) -> Tensor:
        """Return logits (M, V + 1) at `wanted` with only the `changed` positions computed anew.

        The others keep the keys and values they had, which is what makes it an approximation: they have not seen the change.

        Args:
            tokens: (B, N).
            context: (B, N, dim) or None.
            memory: of `remembering`; the changed rows are written into it.
            changed: positions to compute, all of `wanted` among them.
            wanted: positions to predict.
        """
        x = self._embedding_at(tokens, context, changed)
        for i, (block, remembered) in enumerate(zip(self._blocks(), memory, strict=True)):
            x = block.refresh(x, remembered, changed, wanted if i == self.last else None)
        return self._logits(x, wanted)

    def compile_blocks(self, **options: Any) -> None:
        """Compile every block in place: parameters keep their names, so checkpoints and resuming are not touched.

        Blocks are alike, so one graph serves all of them, and it is not made anew when the number of hidden tokens changes: what
        runs on hidden positions alone stays eager.

        Args:
            options: of torch.compile, for example mode="reduce-overhead" for CUDA graphs.
        """
        for block in self._blocks():
            block.compile(**options)

    @property
    def last(self) -> int:
        """Number of the last block."""
        return len(self.blocks) - 1

    def _blocks(self) -> Iterator[Block]:
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block

    @property
    def _first(self) -> Block:
        return next(self._blocks())

    def _through(self, x: Tensor, positions: Positions | None, projected: Tensor | None = None) -> Tensor:
        """Return logits of embeddings (B, N, dim), everywhere or at some positions."""
        for i, block in enumerate(self._blocks()):
            known = projected if i == 0 else None
            x = block(x, known) if positions is None or i < self.last else block.remembering(x, positions, known)[0]
        return self._logits(x, positions)

    def _embedding(self, tokens: Tensor, context: Tensor | None) -> Tensor:
        x = self.token_embedding(tokens) + self.position_embedding
        if context is not None:
            x = x + context
        return self.dropout(self.embedding_norm(x))

    def _embedding_at(self, tokens: Tensor, context: Tensor | None, positions: Positions) -> Tensor:
        """Return the embeddings (F, dim) of some positions, without dropout."""
        places = positions.filled_rows % self.num_image_tokens
        x = self.token_embedding(positions.take_filled(tokens)) + self.position_embedding.index_select(0, places)
        return self.embedding_norm(x if context is None else x + positions.take_filled(context))

    def _logits(self, x: Tensor, positions: Positions | None) -> Tensor:
        """Return logits (B, N, V + 1), or (M, V + 1) of rows (F, dim)."""
        similarities = F.linear(self.head(x), self.token_embedding.weight)
        if positions is None:
            return similarities + self.bias
        return similarities[: len(positions)] + self.bias.index_select(0, positions.rows % self.num_image_tokens)


def _plus(x: Tensor, branch: Tensor) -> Tensor:
    """Return the sum in the precision of x; without gradients in the memory of the branch, which nobody needs any more."""
    return x + branch if torch.is_grad_enabled() else branch.to(x.dtype).add_(x)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.trunc_normal_(module.weight, std=INIT_STD)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
