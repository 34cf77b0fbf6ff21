"""Dropout that draws fast on a CPU and is torch's elsewhere.

torch draws a Bernoulli number per element. Here a 64-bit draw decides four elements; NumPy's SFC64 makes draws twice as fast as
torch's generator, and takes its seed from it. Both draw on one core: threads of NumPy's would share the cores with torch's, which
go on spinning after every operation.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LANES = 4  # 16-bit lanes of a 64-bit draw, one per element
_DRAW_BITS = 15  # that count of a lane: probabilities are multiples of 2^-15
_BLOCK = 2**19  # elements that are decided at a time: 1 MiB, which stays in a core's cache
_AS_INTEGERS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}


def dropout(module: nn.Dropout, x: Tensor) -> Tensor:
    """Return what a dropout layer makes of x: elements dropped in training, x otherwise."""
    return drop(x, module.p) if module.training and module.p else x


def drop(x: Tensor, p: float) -> Tensor:
    """Set a share `p` of the elements to zero and divide the others by 1 - p; draws come from torch's global generator."""
    own = x.device.type == "cpu" and x.dtype in _AS_INTEGERS and not torch.compiler.is_compiling()
    return _Drop.apply(x, p) if own else F.dropout(x, p)


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


def kept(x: Tensor, bits: Tensor) -> Tensor:
    """Return x, bfloat16 or float32, with zeros where the bits of `keep_bits` are not set."""
    return (x.contiguous().view(_AS_INTEGERS[x.dtype]) & bits).view(x.dtype)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        """Keep the drawn elements."""
        bits = keep_bits(x.shape, p)
        ctx.save_for_backward(bits)
        ctx.scale = 1 / (1 - p)
        return kept(x, bits).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Pass the gradient of what was kept."""
        (bits,) = ctx.saved_tensors
        return kept(gradient, bits).mul_(ctx.scale), None
