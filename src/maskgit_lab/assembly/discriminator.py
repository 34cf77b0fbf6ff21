"""The discriminator of a configuration, for stage 1 and for the decoder stage."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.utils import get_object
from torch import nn

from maskgit_lab.assembly.config import build


def build_discriminator(node: Mapping[str, Any] | None, *, mean: Sequence[float], std: Sequence[float]) -> nn.Module | None:
    """Build a discriminator, None for none; `mean` and `std` of the images' normalisation go to one that takes them."""
    if node is None:
        return None
    taken = inspect.signature(get_object(node["_target_"])).parameters
    given = {name: [float(x) for x in value] for name, value in (("mean", mean), ("std", std)) if name in taken}
    network: nn.Module = build(node, **given)
    return network
