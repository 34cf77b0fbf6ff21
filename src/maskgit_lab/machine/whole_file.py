"""Write a file whole or not at all: no reader sees half of it, and an interruption leaves nothing behind."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path beside the file to write to; it replaces the file in one step when all went well, else it is removed.

    Each process writes to a path of its own, so that several may write the same file.

    Args:
        path: the file; its folder is made here.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
