"""Read many files in threads and report all problems at once, each with its file."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from maskgit_lab.data.file_names import shown, some
from maskgit_lab.data.image_opening import BadImageError, ReadOptions

log = logging.getLogger("maskgit_lab")

MIN_FOR_BAR = 500


class BadFilesError(ValueError):
    """Names the files that cannot be used."""

    def __init__(self, problems: Mapping[int, str], total: int, options: ReadOptions) -> None:
        self.problems = problems  # number of the file -> its name and what is wrong with it
        self.total = total
        skip = "" if options.keys is None else f", or go on without them: {options.keys}skip_bad=true"
        super().__init__(f"{len(problems)} of {total} files cannot be used: {self._listed()}. Repair or remove them{skip}")

    def rest(self) -> list[int]:
        """Log what is left out and return the numbers of the other files; raise this error when there is none."""
        if len(self.problems) == self.total:
            raise self
        log.warning(f"Going on without {len(self.problems)} of {self.total} files: {self._listed()}")
        return [i for i in range(self.total) if i not in self.problems]

    def _listed(self) -> str:
        return some([self.problems[i] for i in sorted(self.problems)])


def read_files(paths: Sequence[Path], read: Callable[[int], None], *, options: ReadOptions) -> None:
    """Call `read` with the number of each file.

    Args:
        paths: the files, for messages.
        read: reads one of them, and raises BadImageError when it cannot be used.
        options: for the message.

    Raises:
        BadFilesError: naming all that cannot be used.
    """
    problems: dict[int, str] = {}

    def attempt(i: int) -> None:
        try:
            read(i)
        except BadImageError as error:
            problems[i] = f"{shown(paths[i])} ({error})"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(attempt, range(len(paths)))
        list(tqdm(done, total=len(paths), desc="Reading images", unit="img", disable=len(paths) < MIN_FOR_BAR))
    if problems:
        raise BadFilesError(problems, len(paths), options)


def check_exact(size: tuple[int, int], resolution: int) -> None:
    """Raise BadImageError unless an image has this resolution."""
    if size != (resolution, resolution):
        raise BadImageError(f"{size[0]}x{size[1]} pixels, expected {resolution}x{resolution} (the key resolution)")
