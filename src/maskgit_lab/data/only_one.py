"""One process makes a file while the others wait for it: ranks that start together, and jobs of a sweep that run side by side."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger("maskgit_lab")

PATIENCE = 3.0  # seconds before it says that it waits


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock of a file; look for the file again inside: another process may have made it meanwhile.

    The system gives the lock back when its process ends, however it ends. The empty `.lock` file stays: removing it would let two
    processes hold locks of the same name.

    Args:
        path: what is going to be made; its folder is made here.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        held = lock.acquire(timeout=PATIENCE)
    except Timeout:
        log.info(f"Waiting for another process that is making {path}")
        held = lock.acquire()
    with held:
        yield
