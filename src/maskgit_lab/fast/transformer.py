"""The transformer computed from its own weights, and only where something is wanted or has changed.

`FastTransformer` wraps the network as it is written (models.transformer) and reads its parameters; nothing in it is replaced. Where
only some positions are wanted, the last block and the head run on those; where only some tokens changed, `refresh` recomputes
them against the keys and values of the others. Such rows are packed (fast.positions).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.fast.attention import attend
from maskgit_lab.fast.dropout import dropout
from maskgit_lab.fast.keys_values import KeysValues
from maskgit_lab.fast.positions import Positions
from maskgit_lab.fast.projection import project
from maskgit_lab.fast.trained_attention import DroppedAttention, gains_in
from maskgit_lab.models.transformer import BidirectionalTransformer, Block, SelfAttention


class FastAttention:
    """Multi-head self-attention from all or some positions to all."""

    def __init__(self, plain: SelfAttention) -> None:
        self.plain = plain

    def remembering(self, x: Tensor, positions: Positions | None = None) -> tuple[Tensor, KeysValues]:
        """Return the output (B, N, dim), or (M, dim) at some positions, which see all, and the keys and values behind it."""
        if positions is None:
            q, k, v = (part.transpose(1, 2) for part in self._heads(project(self.plain.qkv, x), 3))
            return project(self.plain.out, self._mixed(q, k, v).flatten(2)), KeysValues(k, v)
        dim = x.shape[-1]
        k, v = (part.transpose(1, 2) for part in self._heads(project(self.plain.qkv, x, outputs=slice(dim, None)), 2))
        q = project(self.plain.qkv, positions.take(x), outputs=slice(dim))
        return self._packed(self._heads(q, 1)[0], k, v, positions), KeysValues(k, v)

    def refresh(self, x: Tensor, memory: KeysValues, changed: Positions, wanted: Positions | None = None) -> Tensor:
        """Map the changed rows (M, dim) to (M, dim), or to those `wanted` among them, against remembered keys and values."""
        q, k, v = self._heads(project(self.plain.qkv, x), 3)
        memory.write(changed.rows, k, v)
        if wanted is not None:
            q = q.index_select(0, torch.searchsorted(changed.rows, wanted.rows))
        return self._packed(q, memory.keys, memory.values, changed if wanted is None else wanted)

    def _heads(self, projected: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Split (..., parts * dim) into parts of (..., heads, d)."""
        return projected.unflatten(-1, (parts, self.plain.num_heads, -1)).unbind(-3)

    def _mixed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from (B, heads, Q, d) to (B, heads, N, d); return (B, Q, heads, d)."""
        share = self.plain.dropout if self.plain.training else 0.0
        if gains_in(q, share):
            return DroppedAttention.apply(q, k, v, share)
        return attend(q, k, v, dropout=share).transpose(1, 2)

    def _packed(self, q: Tensor, k: Tensor, v: Tensor, positions: Positions) -> Tensor:
        """Attend from packed queries (M, heads, d), each to its own image's (B, heads, N, d)."""
        mixed = self._mixed(positions.spread(q).transpose(1, 2), k, v)
        return project(self.plain.out, positions.pack(mixed).flatten(1))


class FastBlock:
    """Attention and MLP, each with a residual, on all or some positions."""

    def __init__(self, plain: Block) -> None:
        self.plain = plain
        self.attention = FastAttention(plain.attention)

    def remembering(self, x: Tensor, positions: Positions | None = None) -> tuple[Tensor, KeysValues]:
        """Return the output (B, N, dim), or (M, dim) at some positions, and the keys and values behind it."""
        mixed, memory = self.attention.remembering(self._attention_input(x), positions)
        return self._after_attention(x if positions is None else positions.take(x), mixed), memory

    def refresh(self, x: Tensor, memory: KeysValues, changed: Positions, wanted: Positions | None = None) -> Tensor:
        """Map the changed rows (M, dim) to their output, or that of the `wanted` among them."""
        mixed = self.attention.refresh(self._attention_input(x), memory, changed, wanted)
        if wanted is not None:
            x = x.index_select(0, torch.searchsorted(changed.rows, wanted.rows))
        return self._after_attention(x, mixed)

    def _attention_input(self, x: Tensor) -> Tensor:
        return self.plain.norm1(x) if self.plain.norm_first else x

    def _after_attention(self, x: Tensor, mixed: Tensor) -> Tensor:
        plain = self.plain
        if plain.norm_first:
            x = x + dropout(plain.dropout, mixed)
            return x + dropout(plain.dropout, self._mlp(plain.norm2(x)))
        x = plain.norm1(x + dropout(plain.dropout, mixed))
        return plain.norm2(x + dropout(plain.dropout, self._mlp(x)))

    def _mlp(self, x: Tensor) -> Tensor:
        return project(self.plain.mlp[2], project(self.plain.mlp[0], x, gelu=True))


class FastTransformer:
    """A transformer's logits at some positions.

    Args:
        plain: the network; compiled blocks are called as they are wherever a whole grid goes through them.
    """

    def __init__(self, plain: BidirectionalTransformer) -> None:
        self.plain = plain
        self.blocks = [FastBlock(block) for block in plain.blocks if isinstance(block, Block)]
        assert len(self.blocks) == len(plain.blocks)

    def logits(self, tokens: Tensor, context: Tensor | None, positions: Positions) -> Tensor:
        """Return logits (M, V + 1) at some positions of tokens (B, N) with context (B, N, dim) or None."""
        self.plain.begin_pass()
        x = self._embedding(tokens, context)
        for block in self.blocks[:-1]:
            x = block.plain(x) if self.plain.compiled else block.remembering(x)[0]
        return self._logits(self.blocks[-1].remembering(x, positions)[0], positions)

    def remembering(self, tokens: Tensor, context: Tensor | None, positions: Positions) -> tuple[Tensor, list[KeysValues]]:
        """Return logits (M, V + 1) at some positions and every block's keys and values for `refresh`."""
        x, memory = self._embedding(tokens, context), []
        for block in self.blocks:
            x, remembered = block.remembering(x, positions if block is self.blocks[-1] else None)
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

        Returns:
            (M, V + 1) logits.
        """
        places = changed.rows % self.plain.num_image_tokens
        x = self.plain.token_embedding(changed.take(tokens)) + self.plain.position_embedding.index_select(0, places)
        x = self.plain.with_context(x, None if context is None else changed.take(context))
        for block, remembered in zip(self.blocks, memory, strict=True):
            x = block.refresh(x, remembered, changed, wanted if block is self.blocks[-1] else None)
        return self._logits(x, wanted)

    def _embedding(self, tokens: Tensor, context: Tensor | None) -> Tensor:
        x = self.plain.token_embedding(tokens) + self.plain.position_embedding
        return dropout(self.plain.dropout, self.plain.with_context(x, context))

    def _logits(self, x: Tensor, positions: Positions) -> Tensor:
        """Return logits (M, V + 1) of rows (M, dim)."""
        plain = self.plain
        features = plain.head[2](project(plain.head[0], x, gelu=True))
        similarities = F.linear(features, plain.token_embedding.weight)
        return similarities + plain.bias.index_select(0, positions.rows % plain.num_image_tokens)
