"""Linear layers that add their bias, and apply their GELU, inside the matrix product where a processor's library can.

torch's product in bfloat16 on a CPU first copies the bias into the result and leaves GELU to a pass of its own; together that is
a tenth of a small network's time. oneDNN does both before it rounds the result, and is faster still with weights in its own order.
The operator is the one that torch.compile emits. It has no backward pass and bypasses autocast's cache of cast weights, so it is
used only inside `weights_fixed`.
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


def project(layer: nn.Module, x: Tensor, *, gelu: bool = False, outputs: slice | None = None) -> Tensor:
    """Return what a linear layer makes of x.

    Args:
        layer: an `nn.Linear` with bias.
        x: (..., in_features).
        gelu: apply GELU to the result.
        outputs: only these of the layer's outputs.

    Returns:
        (..., out_features), or as many as `outputs` chooses.
    """
    assert isinstance(layer, nn.Linear)
    packed = _PACKED.get() if _fuses(x) else None
    if packed is not None:
        return _fused(layer, x.to(torch.bfloat16), gelu, outputs, packed)
    weight: Tensor = layer.weight
    bias: Tensor = layer.bias
    if outputs is not None:
        weight, bias = weight[outputs], bias[outputs]
    projected = F.linear(x, weight, bias)
    return F.gelu(projected) if gelu else projected


def _fused(layer: nn.Linear, x: Tensor, gelu: bool, outputs: slice | None, packed: Packed) -> Tensor:
    assert _linear_pointwise is not None
    key = (layer, outputs and (outputs.start, outputs.stop))
    if key not in packed:
        chosen = slice(None) if outputs is None else outputs
        weight = layer.weight.detach()[chosen].to(torch.bfloat16)
        packed[key] = (
            torch.ops.mkldnn._reorder_linear_weight(weight, USUAL_ROWS), layer.bias.detach()[chosen].to(torch.bfloat16)
        )  # fmt: skip
    kind, form = ("gelu", "none") if gelu else ("none", "")
    return _linear_pointwise(x, *packed[key], kind, [], form)


def _fuses(x: Tensor) -> bool:
    if _linear_pointwise is None or x.device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    return dtype == torch.bfloat16


def _operation() -> Callable[..., Tensor] | None:
    """Return oneDNN's product with bias and activation, where this build of torch and this processor have it."""
    names = ("_linear_pointwise", "_reorder_linear_weight", "_is_mkldnn_bf16_supported")
    known = torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in names)
    return torch.ops.mkldnn._linear_pointwise if known and torch.ops.mkldnn._is_mkldnn_bf16_supported() else None


_linear_pointwise = _operation()


def fuses_here() -> bool:
    """Return whether this torch and this processor have the fused product."""
    return _linear_pointwise is not None
