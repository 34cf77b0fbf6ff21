"""Where a command's results go: nothing that is there is replaced unless it was asked for, and inputs never are."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from maskgit_lab.data.file_names import folded, shown, some


def result_names(paths: Sequence[Path]) -> list[str]:
    """Return a name without suffix for the result of each image: its stem, or where stems collide (cat.jpg, cat.png) its name.

    Relative paths keep their folders: a/cat.png gives a/cat.
    """
    names = [path.with_name(path.stem).as_posix() for path in paths]
    while True:
        counts = Counter(folded(name) for name in names)
        apart = [path.as_posix() if counts[folded(name)] > 1 else name for path, name in zip(paths, names, strict=True)]
        if apart == names:
            return names
        names = apart


def check_results(results: Sequence[Path], *, inputs: Iterable[Path] = (), overwrite: bool, key: str = "out") -> None:
    """Refuse to write results over something, before anything is computed.

    Args:
        results: files that will be written.
        inputs: files that were read, which are never replaced.
        overwrite: whether files that are there may be replaced.
        key: configuration key of the folder, for messages.

    Raises:
        ValueError: naming files that are there, or that are inputs.
    """
    there = {path: found for path in results if (found := _identity(path)) is not None}
    if there:
        read = {_identity(path) for path in inputs}
        own = [shown(path) for path, found in there.items() if found in read]
        if own:
            raise ValueError(f"{key}: results would replace what they are made of: {some(own)}. Choose another folder")
    if there and not overwrite:
        raise ValueError(
            f"{key}: {len(there)} of {len(results)} results are there already: {some([shown(path) for path in there])}. "
            f"Choose another folder, or replace them: overwrite=true"
        )
    for path in results:
        first = next((parent for parent in path.parents if os.path.lexists(parent)), None)
        if first is not None and not first.is_dir():
            raise ValueError(f"{key}: {shown(first)} is a file, not a folder")


def check_apart(out: Path, inputs: Iterable[Path], *, key: str = "out") -> None:
    """Raise ValueError when results would go among the inputs, where the next command would take them for inputs."""
    if out.resolve() in {path.resolve().parent for path in inputs}:
        raise ValueError(f"{key}: {shown(out)} is the folder of the images or masks; choose another one for the results")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what two names of one file share; a link to nowhere counts as a file that is there."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0) if path.is_symlink() else None
    return found.st_dev, found.st_ino
