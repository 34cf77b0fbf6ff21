"""Freed memory stays with the process: every large tensor would otherwise be made of pages that the system has yet to clear.

glibc returns a block above a threshold (32 MiB at most by itself) to the system when it is freed, and the next tensor of that size
faults in page after page, which takes several times as long as filling it. A command that trains or decodes needs the same sizes
again and again.
"""

import ctypes
import platform

# parameters of mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEEP_BELOW = 2**30  # bytes of a block; above it, the work outweighs the pages
_KEEP_AT_TOP = 2**31 - 1  # free bytes that may stay at the end of the heap


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep freed blocks for the next tensors; return whether it does."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _KEEP_BELOW)) and bool(mallopt(_TRIM_THRESHOLD, _KEEP_AT_TOP))
