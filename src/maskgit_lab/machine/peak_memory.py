"""How much memory a command has needed at most, for the line at its end."""

import sys

import torch

if sys.platform != "win32":
    import resource

GIB = 2**30
# Linux counts in KiB, macOS in bytes
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_memory() -> dict[str, float]:
    """Return the peaks of this process in GiB: `host` (resident), which Windows does not tell, and `device` where CUDA was used."""
    peaks = {}
    if sys.platform != "win32":
        peaks["host"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / GIB
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        peaks["device"] = torch.cuda.max_memory_allocated() / GIB
    return peaks


def peak_memory_line() -> str:
    """Return one line for people, such as `Peak memory: host 1.2 GiB`."""
    peaks = ", ".join(f"{where} {size:.1f} GiB" for where, size in peak_memory().items())
    return f"Peak memory: {peaks or 'not told by this system'}"
