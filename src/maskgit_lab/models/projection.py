"""Linear layers that add their bias, and apply their GELU, inside the matrix product where a processor's library can.

torch's product in bfloat16 on a CPU first copies the bias into the result and leaves GELU to a pass of its own; together that is
a tenth of a small network's time. oneDNN does both before it rounds the result, and is faster still with weights in its own order.
torch has that operation for its compiler, without gradients and without autocast's memory of cast weights, so it is used inside
`weights_fixed` alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

USUAL_ROWS = 1024  # of a product, for oneDNN's choice of the weights' order; others are as fast in it
# a layer and the part of its outputs -> weight and bias of that part
Packed = dict[tuple[nn.Module, tuple[int | None, int | None] | None], tuple[Tensor, Tensor]]
_PACKED: ContextVar[Packed | None] = ContextVar("packed", default=None)


@contextmanager
def weights_fixed() -> Iterator[None]:
    """Promise that no weights change inside, also where such promises nest: each is cast, and put in oneDNN's order, once.

    Before and after it they may change, also behind autocast's back (averaged weights are swapped in place). Where oneDNN's product
    is missing autocast remembers the casts, so what it remembers is dropped on the way in and on the way out.
    """
    known = _PACKED.get()
    if known is not None:
        yield
        return
    torch.clear_autocast_cache()
    outer = _PACKED.set({})
    try:
        yield
    finally:
        _PACKED.reset(outer)
        torch.clear_autocast_cache()


class Projection(nn.Linear):
    """A linear layer, followed by GELU where asked for; parameters are those of `nn.Linear`.

    Args:
        in_features, out_features: widths.
        gelu: apply GELU to the result.
    """

    def __init__(self, in_features: int, out_features: int, *, gelu: bool = False) -> None:
        super().__init__(in_features, out_features)
        self.gelu = gelu

    def forward(self, x: Tensor, outputs: slice | None = None) -> Tensor:
        """Map (..., in_features) to (..., out_features), or to some of the outputs."""
        packed = _PACKED.get() if _fuses(x) else None
        if packed is not None:
            return self._fused(x.to(torch.bfloat16), outputs, packed)
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if outputs is not None:
            weight, bias = weight[outputs], bias[outputs]
        projected = F.linear(x, weight, bias)
        return F.gelu(projected) if self.gelu else projected

    def _fused(self, x: Tensor, outputs: slice | None, packed: Packed) -> Tensor:
        assert _linear_pointwise is not None
        key = (self, outputs and (outputs.start, outputs.stop))
        if key not in packed:
            chosen = slice(None) if outputs is None else outputs
            weight = self.weight.detach()[chosen].to(torch.bfloat16)
            packed[key] = (
                torch.ops.mkldnn._reorder_linear_weight(weight, USUAL_ROWS), self.bias.detach()[chosen].to(torch.bfloat16)
            )  # fmt: skip
        kind, form = ("gelu", "none") if self.gelu else ("none", "")
        return _linear_pointwise(x, *packed[key], kind, [], form)


def _fuses(x: Tensor) -> bool:
    if _linear_pointwise is None or x.device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    return dtype == torch.bfloat16


def _operation() -> Callable[..., Tensor] | None:
    """Return oneDNN's product with bias and activation, where this build of torch and this processor have it."""
    known = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return torch.ops.mkldnn._linear_pointwise if known and torch.ops.mkldnn._is_mkldnn_bf16_supported() else None


_linear_pointwise = _operation()
