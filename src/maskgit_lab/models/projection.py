"""Linear layers that add their bias, and apply their GELU, inside the matrix product where a processor's library can.

torch's product in bfloat16 on a CPU first copies the bias into the result and leaves GELU to a pass of its own; together that is
a tenth of a small network's time. oneDNN does both before it rounds the result. torch has that operation for its compiler, without
gradients and without autocast's memory of cast weights, so it is used inside `weights_fixed` alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_CASTS: ContextVar[dict[int, Tensor] | None] = ContextVar("casts", default=None)


@contextmanager
def weights_fixed() -> Iterator[None]:
    """Promise that no weights change inside: each is then cast once."""
    outer = _CASTS.set({})
    try:
        yield
    finally:
        _CASTS.reset(outer)


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
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        casts = _CASTS.get() if _fuses(x) else None
        if casts is not None:
            weight, bias = _cast(weight, casts), _cast(bias, casts)
        if outputs is not None:
            weight, bias = weight[outputs], bias[outputs]
        if casts is not None:
            assert _linear_pointwise is not None
            kind, form = ("gelu", "none") if self.gelu else ("none", "")
            return _linear_pointwise(x.to(torch.bfloat16), weight, bias, kind, [], form)
        projected = F.linear(x, weight, bias)
        return F.gelu(projected) if self.gelu else projected


def _cast(parameter: Tensor, casts: dict[int, Tensor]) -> Tensor:
    if id(parameter) not in casts:
        casts[id(parameter)] = parameter.detach().to(torch.bfloat16)
    return casts[id(parameter)]


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
