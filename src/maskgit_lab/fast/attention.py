"""Softmax attention by the fastest way that a device has; what is computed is the same everywhere.

torch's fused attention kernel is best on GPUs and in float32. In bfloat16 on a CPU plain products are faster, and more so with
dropout, for which the fused kernel is left.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.fast.dropout import drop, keep_bits, kept
from maskgit_lab.fast.positions import round_up

# the gradient of a softmax given its result; torch has it for its own backward pass
_softmax_backward: Callable[..., Tensor] | None = getattr(torch, "_softmax_backward_data", None)
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
    if not _takes_own_way(q):
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
    if not (torch.is_grad_enabled() and any(part.requires_grad for part in (q, k, v))):
        return _mixed_in_chunks(q, k, v, dropout, counts or [q.shape[2]] * len(q))
    mixed: Tensor = _Attention.apply(*(part.flatten(0, 1) for part in (q, k, v)), dropout)
    return mixed.view(q.shape)


def _scaled(a: Tensor, b: Tensor, width: int, out: Tensor | None = None) -> Tensor:
    """Return a b / sqrt(width) of batches of matrices, scaled before it is rounded."""
    out = a.new_empty(len(a), a.shape[1], b.shape[2]) if out is None else out
    return out.baddbmm_(a, b, beta=0, alpha=width**-0.5)


def _mixed_in_chunks(q: Tensor, k: Tensor, v: Tensor, dropout: float, counts: Sequence[int]) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v, some images or some heads of one image at a time."""
    batch, heads, queries, width = q.shape
    mixed = q.new_empty(batch, queries, heads, width).transpose(1, 2)  # in memory as the next projection reads it
    at_once = max(1, CHUNK_WEIGHTS // (queries * k.shape[2]))  # pairs of image and head
    for image, head in itertools.product(range(0, batch, max(1, at_once // heads)), range(0, heads, at_once)):
        images = slice(image, image + max(1, at_once // heads))
        part = images, slice(head, head + at_once), slice(round_up(max(counts[images])))
        some_q, some_k, some_v = (x.flatten(0, 1) for x in (q[part], k[part[:2]], v[part[:2]]))
        weights = torch.softmax(_scaled(some_q, some_k.mT, width), dim=-1)
        mixed[part] = torch.bmm(drop(weights, dropout) if dropout else weights, some_v).view(mixed[part].shape)
    return mixed


def _takes_own_way(x: Tensor) -> bool:
    known = x.device.type == "cpu" and x.dtype == torch.bfloat16 and _softmax_backward is not None
    return known and not torch.compiler.is_compiling()


def own_here() -> bool:
    """Return whether this torch has what attention of our own needs."""
    return _softmax_backward is not None


class _Attention(torch.autograd.Function):
    """softmax(q k^T / sqrt(d)) v with dropout on the weights; all (B * heads, ..., d) bfloat16, some heads at a time."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, p: float) -> Tensor:
        """Multiply, normalise, drop, multiply."""
        weights, mixed = q.new_empty(len(q), q.shape[1], k.shape[1]), torch.empty_like(q)
        bits = keep_bits(weights.shape, p) if p else None
        for part in _some_heads(weights):
            torch.softmax(_scaled(q[part], k[part].mT, q.shape[-1]), dim=-1, out=weights[part])
            torch.bmm(_dropped(weights, bits, part), v[part], out=mixed[part])
        ctx.save_for_backward(q, k, v, weights, bits)
        ctx.scale = 1 / (1 - p)
        return mixed.mul_(ctx.scale) if p else mixed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Go back through the products and the softmax, dropping what was dropped."""
        assert _softmax_backward is not None
        q, k, v, weights, bits = ctx.saved_tensors
        gradient = gradient if bits is None else gradient * ctx.scale
        into_q, into_k, into_v = (torch.empty_like(part) for part in (q, k, v))
        for part in _some_heads(weights):
            torch.bmm(_dropped(weights, bits, part).mT, gradient[part], out=into_v[part])
            into_weights = gradient[part] @ v[part].mT
            if bits is not None:
                into_weights.view(torch.int16).bitwise_and_(bits[part])
            into_scores = _softmax_backward(into_weights, weights[part], -1, weights.dtype)
            _scaled(into_scores, k[part], q.shape[-1], out=into_q[part])
            _scaled(into_scores.mT, q[part], q.shape[-1], out=into_k[part])
        return into_q, into_k, into_v, None


def _some_heads(weights: Tensor) -> Iterator[slice]:
    """Divide heads (B * heads, Q, N) so that the weights of a part stay in the cache."""
    at_once = max(1, CHUNK_WEIGHTS // (weights.shape[1] * weights.shape[2]))
    for start in range(0, len(weights), at_once):
        yield slice(start, start + at_once)


def _dropped(weights: Tensor, bits: Tensor | None, part: slice) -> Tensor:
    return weights[part] if bits is None else kept(weights[part], bits[part])
