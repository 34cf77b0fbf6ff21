"""Softmax attention by the fastest way that a device has; what is computed is the same everywhere.

torch's fused kernel is best on GPUs and, without dropout, in float32 (with dropout: `fast.trained_attention`). In bfloat16 on a CPU
plain products are faster, and more so with dropout, for which torch leaves the fused kernel.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.fast.dropout import drop

CHUNK_WEIGHTS = 2**20  # attention weights in work at once: 2 MiB, which stay in the cache


def attend(q: Tensor, k: Tensor, v: Tensor, *, dropout: float = 0.0) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v.

    Args:
        q: (B, heads, Q, d).
        k: (B, heads, N, d).
        v: (B, heads, N, d).
        dropout: share of attention weights that are dropped.

    Returns:
        (B, heads, Q, d).
    """
    if q.device.type != "cpu" or q.dtype != torch.bfloat16 or torch.compiler.is_compiling():
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
    parts = [part.flatten(0, 1) for part in (q, k, v)]  # (B * heads, ..., d)
    # some heads at a time keep their weights in the cache; with gradients all weights are kept for the way back anyway
    at_once = len(parts[0]) if torch.is_grad_enabled() else max(1, CHUNK_WEIGHTS // (q.shape[2] * k.shape[2]))
    chunks = zip(*(part.split(at_once) for part in parts), strict=True)
    return torch.cat([_mixed(some_q, some_k, some_v, dropout) for some_q, some_k, some_v in chunks]).view(q.shape)


def _mixed(q: Tensor, k: Tensor, v: Tensor, dropout: float) -> Tensor:
    scores = torch.baddbmm(q.new_empty(1), q, k.mT, beta=0, alpha=q.shape[-1] ** -0.5)  # scaled before it is rounded
    weights = torch.softmax(scores, dim=-1)
    return torch.bmm(drop(weights, dropout) if dropout else weights, v)
