"""Break content: bytes as disks and cut transfers break them, values as people and attackers do."""

import copy
import math
import random
from collections.abc import Iterator
from typing import Any

import torch

MAGIC = (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x01", b"\xff\xfe", b"%n", b"\x80")
JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2**31, 2**63, 10**30, 0.5, -0.0, math.nan, math.inf, 1e308, "",
    "x", "x" * 3000, "é\n\0", "1e999",
    "../../..", "???", "${name}", "${nowhere}", "${", [], [[]], {}, {"a": 1}, {"_target_": "x"}, [None],
    ["a", "b"], [0.1, 0.3, 0.5],
)  # fmt: skip
TENSORS = (
    torch.zeros(0), torch.zeros(()), torch.zeros(3, 5), torch.full((2, 2), math.nan), torch.ones(4, dtype=torch.int64),
    torch.ones(2, dtype=torch.bool), torch.zeros(1, dtype=torch.complex64), torch.zeros(1).expand(10**12),
)  # fmt: skip


def broken_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return bytes with up to a few faults: flips, cuts, blocks moved, doubled, zeroed, numbers replaced, foreign ends."""
    broken = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        size = len(broken)
        at, length = rng.randrange(size + 1), rng.randint(1, max(1, size // 4))
        match rng.randrange(9):
            case 0 | 1:
                for _ in range(rng.choice((1, 1, 4, 32))):
                    if size:
                        broken[rng.randrange(size)] ^= 1 << rng.randrange(8)
            case 2:
                del broken[at:]
            case 3:
                del broken[at : at + length]
            case 4:
                broken[at:at] = broken[at : at + length]
            case 5:
                broken[at : at + length] = bytes(len(broken[at : at + length]))
            case 6:
                magic = rng.choice(MAGIC)
                broken[at : at + len(magic)] = magic
            case 7:  # in the head, where sizes and types are
                head = rng.randrange(min(64, size) + 1)
                broken[head : head + 1] = rng.randbytes(1)
            case _:
                broken += rng.randbytes(rng.randint(1, 64))
    return bytes(broken)


def broken_values(content: Any, rng: random.Random, *, tensors: bool = False) -> Any:
    """Return nested values in which one to three were replaced, removed, renamed or given to another key."""
    content = copy.deepcopy(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(content))
        if not places:
            return content
        node, key = rng.choice(places)
        match rng.randrange(6):
            case 0:
                del node[key]
            case 1 if isinstance(node, dict):
                node[f"{key}{rng.choice(('s', '_', ' ', 'é'))}"] = node.pop(key)
            case 2:
                other, where = rng.choice(places)
                if (isinstance(other, list) and where < len(other)) or (isinstance(other, dict) and where in other):
                    node[key] = copy.deepcopy(other[where])
            case _:
                node[key] = rng.choice(JUNK + TENSORS if tensors else JUNK)
    return content


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    children = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, child in children:
        yield node, key
        yield from _places(child)
