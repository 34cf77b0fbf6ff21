"""Attention with dropout in float32 on a CPU, forward and backward, some heads at a time so that their weights stay in the cache.

With dropout torch leaves its fused kernel for plain operations over all heads at once. They draw a Bernoulli number per weight on
one core, which takes longer than the products, look for rows without any weight, and go to memory and back after each operation.
Here the draws are `fast.dropout`'s, operations write in place, and scales are factors of products. What the way back needs is kept:
the weights, and the bits that drop them.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from maskgit_lab.fast.dropout import keep_bits

CHUNK_WEIGHTS = 2**19  # attention weights in work at once: 2 MiB


def drops_here() -> bool:
    """Return whether this torch has the operation that it needs."""
    return hasattr(torch, "_softmax_backward_data")


def gains_in(x: Tensor, dropout: float) -> bool:
    """Return whether attention over x is faster by this than by torch's operations."""
    return (
        dropout > 0 and x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling() and drops_here()
    )  # fmt: skip


class DroppedAttention(torch.autograd.Function):
    """softmax(q k^T / sqrt(d)), a share p of it dropped and the rest divided by 1 - p, times v."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, p: float) -> Tensor:
        """Return (B, Q, heads, d) for q (B, heads, Q, d) and k, v (B, heads, N, d)."""
        batch, heads, queries, width = q.shape
        q, k, v = (part.flatten(0, 1) for part in (q, k, v))  # (B * heads, ..., d), copied head by head
        bits = keep_bits((len(q), queries, k.shape[1]), p)
        weights = q.new_empty(bits.shape)
        mixed = torch.empty_like(q)
        for some in _chunks(weights):
            torch.baddbmm(weights[some], q[some], k[some].mT, beta=0, alpha=width**-0.5, out=weights[some])
            torch.softmax(weights[some], -1, out=weights[some])
            kept = bits[some].to(q.dtype).mul_(weights[some])  # the bits are -1 where weights are kept: the sign goes into alpha
            torch.baddbmm(mixed[some], kept, v[some], beta=0, alpha=-1 / (1 - p), out=mixed[some])
        ctx.save_for_backward(q, k, v, weights, bits)
        ctx.p = p
        return mixed.unflatten(0, (batch, heads)).transpose(1, 2).contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Return the gradients of q, k and v."""
        q, k, v, weights, bits = ctx.saved_tensors
        batch, _, heads, width = gradient.shape
        gradient = gradient.transpose(1, 2).flatten(0, 1)
        to_q, to_k, to_v = (torch.empty_like(part) for part in (q, k, v))
        scale = width**-0.5
        for some in _chunks(weights):
            kept = bits[some].to(q.dtype)
            to_weights = torch.baddbmm(kept, gradient[some], v[some].mT, beta=0, alpha=-1 / (1 - ctx.p)).mul_(kept)
            kept.mul_(weights[some])
            torch.baddbmm(to_v[some], kept.mT, gradient[some], beta=0, alpha=-1 / (1 - ctx.p), out=to_v[some])
            to_scores = torch._softmax_backward_data(to_weights, weights[some], -1, q.dtype, grad_input=kept)
            torch.baddbmm(to_q[some], to_scores, k[some], beta=0, alpha=scale, out=to_q[some])
            torch.baddbmm(to_k[some], to_scores.mT, q[some], beta=0, alpha=scale, out=to_k[some])
        return (*(part.unflatten(0, (batch, heads)) for part in (to_q, to_k, to_v)), None)


def _chunks(weights: Tensor) -> Iterator[slice]:
    """Cut the first dimension of weights (B * heads, Q, N) into pieces of bounded size."""
    at_once = max(1, CHUNK_WEIGHTS // max(1, weights[:1].numel()))
    return (slice(first, first + at_once) for first in range(0, len(weights), at_once))
