"""Write a file whole or not at all: no reader sees half of it, and an interruption leaves nothing behind."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Replace a file in one step when all went well; else leave it as it was.

    Args:
        path: the file; its folder is made here.

    Yields:
        A path beside it to write to, another one in each process, so that several may write the same file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
