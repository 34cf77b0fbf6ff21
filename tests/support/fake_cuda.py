"""A CUDA device that is not there: its tensors say `cuda:0`, lie on the host, compute there, and refuse to mix with the host's.

Inside `fake_cuda()` code runs as on a card, as far as devices go: what it forgets to move, or makes on the wrong side, is an error
as it would be there. Forward passes only: gradients need a real device.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

CUDA = torch.device("cuda:0")
COPIES = ("_to_copy", "copy_")  # what real devices allow between them
INDEXING = ("index", "index_put_", "_index_put_impl_")  # their indices may be on the host, if what is indexed is not


written: set[int] = set()  # storages that are being saved as those of a card


class MixedDevicesError(RuntimeError):
    """An operation got tensors of both sides."""


class FakeCuda(Tensor):
    """A tensor that says it is on a card."""

    held: Tensor  # on the host

    @staticmethod
    def __new__(cls, held: Tensor) -> "FakeCuda":
        made = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device=CUDA
        )
        made.held = held
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"FakeCuda({self.held})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Be written to a file as the tensor of a card that it says it is."""
        written.add(self.held.untyped_storage()._cdata)
        return self.held.__reduce_ex__(protocol)

    def tolist(self) -> Any:
        return self.held.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
        )

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute an operation on the host and give its results the device that they would have."""
    name = func.overloadpacket.__name__
    asked = torch.device(kwargs["device"]).type if kwargs.get("device") is not None else None
    changes = func._schema.is_mutable and name.endswith("_")
    _require_one_side(name, changes, args, kwargs, asked)
    kwargs = {key: value for key, value in kwargs.items() if key != "pin_memory"}
    if asked == "cuda":
        kwargs["device"] = torch.device("cpu")
    result = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if changes:
        return args[0]
    on_card = asked == "cuda" if asked else any(isinstance(leaf, FakeCuda) for leaf in tree_leaves((args, kwargs)))
    return tree_map(lambda leaf: FakeCuda(leaf) if on_card and isinstance(leaf, Tensor) else leaf, result)


def _require_one_side(name: str, changes: bool, args: Any, kwargs: dict[str, Any], asked: str | None) -> None:
    """Raise MixedDevicesError for what a real device refuses; scalars on the host go with everything but are not written to."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    strangers = [leaf for leaf in tensors if not isinstance(leaf, FakeCuda)]
    generator = kwargs.get("generator")
    if asked == "cuda" and generator is not None and generator.device.type == "cpu":
        raise MixedDevicesError(f"{name}: expected a 'cuda' device type for generator but found 'cpu'")
    if name in COPIES or len(strangers) in (0, len(tensors)):
        return
    if name in INDEXING:
        wrong = [
            leaf for leaf in (args[0], *args[2:3]) if isinstance(leaf, Tensor) and not isinstance(leaf, FakeCuda) and leaf.ndim
        ]
    else:
        wrong = [leaf for leaf in strangers if leaf.ndim > 0 or (changes and leaf is args[0])]
    if wrong:
        raise MixedDevicesError(f"{name}: tensors on cuda:0 and, of shapes {[tuple(leaf.shape) for leaf in wrong]}, on the CPU")


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, FakeCuda) else leaf


class _Factories(TorchDispatchMode):
    """Let `torch.zeros(..., device="cuda")` and the like make such tensors."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        leaves = tree_leaves((args, kwargs))
        if any(isinstance(leaf, FakeCuda) for leaf in leaves) or torch.device(kwargs.get("device") or "cpu").type == "cuda":
            return computed(func, args, kwargs)
        return func(*args, **kwargs)


def _made(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Wrap torch.tensor or torch.as_tensor, which no mode sees."""

    def made(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        if device is None or torch.device(device).type != "cuda":
            return make(data, *args, device=device, **kwargs)
        on_host = data.held if isinstance(data, FakeCuda) else data
        return FakeCuda(make(on_host, *args, **kwargs))

    return made


def _said_place(place: Callable[[Any], str]) -> Callable[[Any], str]:
    """Wrap what torch.save asks for a storage's device: reading such a file elsewhere needs `map_location`."""
    return lambda storage: str(CUDA) if storage._cdata in written else place(storage)


def claimable() -> bool:
    """Return whether this torch lets a device be claimed that is not there; the lowest that the package takes does not."""
    return hasattr(torch._C, "_ensureCUDADeviceGuardSet")


@contextmanager
def fake_cuda() -> Iterator[torch.device]:
    """Claim a CUDA device inside; yield it."""
    torch._C._ensureCUDADeviceGuardSet()
    conversion, cudnn = torch.__future__.get_overwrite_module_params_on_conversion(), torch.backends.cudnn.enabled
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # a parameter cannot turn into another class in place
    torch.backends.cudnn.enabled = False  # its operations have no counterpart on the host
    try:
        with (
            patch("torch.cuda._lazy_init", lambda: None), patch("torch.cuda.is_available", lambda: True),
            patch("torch.cuda.device_count", lambda: 1), patch("torch.tensor", _made(torch.tensor)),
            patch("torch.as_tensor", _made(torch.as_tensor)), _Factories(),
            patch("torch.serialization.location_tag", _said_place(torch.serialization.location_tag)),
        ):  # fmt: skip
            yield CUDA
    finally:
        written.clear()
        torch.__future__.set_overwrite_module_params_on_conversion(conversion)
        torch.backends.cudnn.enabled = cudnn
