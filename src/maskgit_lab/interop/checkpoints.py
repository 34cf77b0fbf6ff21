"""Find the state dict in a checkpoint of other code: plain, wrapped in other dicts, or with a prefix on every key.

Files are read with `weights_only=True`: a checkpoint must not run code.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from maskgit_lab.machine.tensor_file import load_tensors

NUM_EXAMPLE_KEYS = 5
MAX_DEPTH = 3  # of nested dicts: {"model": {"state_dict": {...}}} and one more


def read_state_dict(path: Path, *, marker: str, kind: str) -> dict[str, Tensor]:
    """Return the tensors of one network in a file that `torch.save` wrote, by the network's own names.

    `marker` is a key that the network's state dict must have; what comes before it in the file is the prefix to strip, and tensors
    without that prefix belong to other networks and are left out. `kind` is the network in words, for the messages. Raise
    FileNotFoundError when there is no such file, ValueError when it cannot be read or holds no such key, with some that it holds.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint of {kind} at {path}")
    content = load_tensors(path, what=kind, remedy="Fetch it again", own=False)
    for candidate in _dicts(content, MAX_DEPTH):
        tensors = {key: value for key, value in candidate.items() if isinstance(key, str) and isinstance(value, Tensor)}
        found = [key for key in tensors if key == marker or key.endswith("." + marker)]
        if found:
            prefix = min(found, key=len).removesuffix(marker)
            return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    raise ValueError(f"{path} is not {kind}: expected a tensor named {marker} (any prefix), found {_examples(content)}")


def _dicts(content: Any, depth: int) -> Iterator[Mapping[Any, Any]]:
    """Yield the content and the dicts inside it, outer ones first."""
    if not isinstance(content, Mapping) or depth == 0:
        return
    yield content
    for value in content.values():
        yield from _dicts(value, depth - 1)


def _examples(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    keys = [str(key) for inner in _dicts(content, MAX_DEPTH) for key in inner]
    if not keys:
        return "an empty dict"
    more = f", ... ({len(keys)} keys)" if len(keys) > NUM_EXAMPLE_KEYS else ""
    return ", ".join(keys[:NUM_EXAMPLE_KEYS]) + more
