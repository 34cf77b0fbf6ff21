"""Counter-based randomness: every random number is a pure function of (seed, stream, step).

Lightning restores no generator state on resume, so a generator that lives across steps would make a resumed run differ from an
uninterrupted one. A fresh generator per (seed, stream, step) needs no state at all.
"""

import hashlib
from collections.abc import Sequence

import torch


def counter_seed(seed: int, stream: str, *counters: int) -> int:
    """Return a 63-bit seed that depends on every argument; streams are names such as "mask" or "decode"."""
    key = f"{seed}/{stream}/" + "/".join(str(int(c)) for c in counters)
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, stream: str, *counters: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Make a fresh generator that depends on the run's seed, the stream and the counters (epoch, step, image index, ...) only.

    `stream` says what the numbers are for; different streams are independent.
    """
    return torch.Generator(device=device).manual_seed(counter_seed(seed, stream, *counters))


def image_generators(seed: int, stream: str, indices: Sequence[int], *, sample: int = 0) -> list[torch.Generator]:
    """Return one generator per image, so that an image's noise does not depend on the batch it is in; others for each `sample`."""
    return [generator(seed, stream, index, *([sample] if sample else [])) for index in indices]
