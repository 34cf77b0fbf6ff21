"""Float32 that is float32 on a GPU too.

torch lets cuDNN round the factors of float32 convolutions to 10 bits (TF32) unless it is told otherwise. Where near ties decide,
which code is nearest for instance, the result would differ from a CPU's, and caches are shared between the two.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact_float32() -> Iterator[None]:
    """Keep float32 convolutions inside from TF32; nothing changes on a CPU."""
    where, name, exact = _switch()
    before = getattr(where, name)
    setattr(where, name, exact)
    try:
        yield
    finally:
        setattr(where, name, before)


def _switch() -> tuple[Any, str, object]:
    """Return where torch keeps the choice, under which name, and its value for none of it."""
    conv = getattr(torch.backends.cudnn, "conv", None)
    if hasattr(conv, "fp32_precision"):  # from 2.9 on; the other one warns there
        return conv, "fp32_precision", "ieee"
    return torch.backends.cudnn, "allow_tf32", False
