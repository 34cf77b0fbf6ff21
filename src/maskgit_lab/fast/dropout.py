"""Dropout of attention weights in bfloat16 on a CPU, where they are the largest tensors of a training step.

torch draws a Bernoulli number per element: 201 ms forwards and backwards for ten images at the lab's size, of which there are 15
layers; this takes 53. Here a 64-bit draw decides four elements. NumPy's SFC64 draws twice as fast as torch's generator, from which
it takes its seed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

_LANES = 4  # 16-bit lanes of a 64-bit draw, one per element
_DRAW_BITS = 15  # that count of a lane: probabilities are multiples of 2^-15
_BLOCK = 2**19  # elements that are decided at a time: 1 MiB, which stays in a core's cache


def drop(weights: Tensor, p: float) -> Tensor:
    """Set a share `p` of bfloat16 weights on a CPU to zero and divide the others by 1 - p."""
    dropped: Tensor = _Drop.apply(weights, p)
    return dropped


def keep_bits(shape: Sequence[int], p: float) -> Tensor:
    """Return int16 of a shape, on the CPU: all bits set = keep, none = drop, the latter with probability `p`."""
    bits = torch.empty(tuple(shape), dtype=torch.int16)
    elements = bits.view(-1).numpy()
    generator = np.random.Generator(np.random.SFC64(int(torch.randint(2**63 - 1, ()))))
    limit = np.int16(2 ** (_DRAW_BITS - 1) - round(p * 2**_DRAW_BITS))
    for start in range(0, len(elements), _BLOCK):
        block = elements[start : start + _BLOCK]
        draws = generator.integers(2**64, size=-(-len(block) // _LANES), dtype=np.uint64).view(np.int16)[: len(block)]
        # 15 signed bits below the limit keep: the sign of their difference, spread over all bits, says which
        np.right_shift(draws, 1, out=draws)
        np.subtract(draws, limit, out=draws)
        np.right_shift(draws, _DRAW_BITS, out=block)
    return bits


def _kept(x: Tensor, bits: Tensor, scale: float) -> Tensor:
    return (x.contiguous().view(torch.int16) & bits).view(x.dtype).mul_(scale)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        """Keep the drawn elements."""
        bits = keep_bits(x.shape, p)
        ctx.save_for_backward(bits)
        ctx.scale = 1 / (1 - p)
        return _kept(x, bits, ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Pass the gradient of what was kept."""
        (bits,) = ctx.saved_tensors
        return _kept(gradient, bits, ctx.scale), None
