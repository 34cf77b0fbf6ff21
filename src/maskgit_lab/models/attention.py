"""Softmax attention and dropout by the fastest road that a device has; what is computed is the same everywhere.

torch's fused attention kernel is best on GPUs and in float32. In bfloat16 on a CPU plain products are faster, and more so with
dropout, for which the fused kernel is left. torch draws one Bernoulli number per element on one core; here a draw decides four.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_DRAW_BITS = 15  # of each 16-bit lane; probabilities are multiples of 2^-15
_LANES = 4  # 16-bit lanes of a 64-bit draw
CHUNK_WEIGHTS = 2**20  # attention weights in work at once: 2 MiB, which stay in the cache


def attend(q: Tensor, k: Tensor, v: Tensor, *, dropout: float = 0.0, counts: Sequence[int] | None = None) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v.

    Args:
        q: (B, heads, Q, d).
        k, v: (B, heads, N, d).
        dropout: share of attention weights that are dropped.
        counts: (B,) queries of each image that matter, the first ones; what comes out for others is undefined. None = all.

    Returns:
        (B, heads, Q, d).
    """
    if not _has_own_road(q):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
    if not (torch.is_grad_enabled() and any(part.requires_grad for part in (q, k, v))):
        return _mixed_in_chunks(q, k, v, dropout, counts or [q.shape[2]] * len(q))
    mixed: Tensor = _Attention.apply(*(part.flatten(0, 1) for part in (q, k, v)), dropout)
    return mixed.view(q.shape)


def _scaled(a: Tensor, b: Tensor, width: int) -> Tensor:
    """Return a b / sqrt(width) of batches of matrices, scaled before it is rounded."""
    return a.new_empty(len(a), a.shape[1], b.shape[2]).baddbmm_(a, b, beta=0, alpha=width**-0.5)


def _mixed_in_chunks(q: Tensor, k: Tensor, v: Tensor, dropout: float, counts: Sequence[int]) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v, some images or some heads of one image at a time."""
    batch, heads, queries, width = q.shape
    mixed = q.new_empty(batch, queries, heads, width).transpose(1, 2)  # in memory as the next projection reads it
    at_once = max(1, CHUNK_WEIGHTS // (queries * k.shape[2]))  # pairs of image and head
    for image, head in itertools.product(range(0, batch, max(1, at_once // heads)), range(0, heads, at_once)):
        images = slice(image, image + max(1, at_once // heads))
        part = images, slice(head, head + at_once), slice(max(counts[images]))
        some_q, some_k, some_v = (x.flatten(0, 1) for x in (q[part], k[part[:2]], v[part[:2]]))
        weights = torch.softmax(_scaled(some_q, some_k.mT, width), dim=-1)
        mixed[part] = torch.bmm(drop(weights, dropout) if dropout else weights, some_v).view(mixed[part].shape)
    return mixed


class Dropout(nn.Module):
    """Dropout that draws fast on a CPU in bfloat16 and is torch's elsewhere."""

    def __init__(self, *, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"model.dropout must be in [0, 1), got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements in training; keep x otherwise."""
        return drop(x, self.p) if self.training and self.p else x


def drop(x: Tensor, p: float) -> Tensor:
    """Set a share `p` of the elements to zero and divide the others by 1 - p; draws come from torch's global generator."""
    return _Drop.apply(x, p) if _has_own_road(x) else F.dropout(x, p)


def _has_own_road(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.bfloat16 and not torch.compiler.is_compiling()


def _keep_bits(like: Tensor, p: float) -> Tensor:
    """Return int16 of the shape of `like`: all bits set = keep, none = drop."""
    count = like.numel()
    draws = (
        torch.empty(math.ceil(count / _LANES), dtype=torch.int64).random_().view(torch.int16)[:count].view(like.shape)
    )
    limit = round(p * 2**_DRAW_BITS)
    # draw < limit drops; the sign of limit - 1 - draw, spread over all bits, says which
    return draws.bitwise_and_(2**_DRAW_BITS - 1).neg_().add_(limit - 1).bitwise_right_shift_(_DRAW_BITS)


def _kept(x: Tensor, bits: Tensor) -> Tensor:
    return (x.contiguous().view(torch.int16) & bits).view(torch.bfloat16)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        """Keep the drawn elements."""
        bits = _keep_bits(x, p)
        ctx.save_for_backward(bits)
        ctx.scale = 1 / (1 - p)
        return _kept(x, bits).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Pass the gradient of what was kept."""
        (bits,) = ctx.saved_tensors
        return _kept(gradient, bits).mul_(ctx.scale), None


class _Attention(torch.autograd.Function):
    """softmax(q k^T / sqrt(d)) v with dropout on the weights; all (B * heads, ..., d) bfloat16."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, p: float) -> Tensor:
        """Multiply, normalise, drop, multiply."""
        weights = torch.softmax(_scaled(q, k.mT, q.shape[-1]), dim=-1)
        bits = _keep_bits(weights, p) if p else None
        ctx.save_for_backward(q, k, v, weights, bits)
        ctx.scale = 1 / (1 - p)
        if bits is None:
            return weights @ v
        return (_kept(weights, bits) @ v).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Go back through the products and the softmax, dropping what was dropped."""
        q, k, v, weights, bits = ctx.saved_tensors
        gradient = gradient if bits is None else gradient * ctx.scale
        kept = weights if bits is None else _kept(weights, bits)
        into_weights = gradient @ v.mT
        if bits is not None:
            into_weights = _kept(into_weights, bits)
        into_scores = torch._softmax_backward_data(into_weights, weights, -1, weights.dtype)
        into_q, into_k = (_scaled(*pair, q.shape[-1]) for pair in ((into_scores, k), (into_scores.mT, q)))
        return into_q, into_k, kept.mT @ gradient, None
