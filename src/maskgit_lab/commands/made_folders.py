"""The folders that this process made for a run or a sweep; where nothing was begun, none is left."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskgit_lab.runs.claim import remove_unused

made: list[Path] = []


@contextmanager
def leaving_no_empty_folder() -> Iterator[None]:
    """Remove what was made inside when the command ends in an error before it began anything."""
    made.clear()
    try:
        yield
    except BaseException as end:
        if not (isinstance(end, SystemExit) and not end.code):
            for folder in made:
                if folder.is_dir() and not (folder / "config.yaml").is_file():
                    remove_unused(folder)
        raise
