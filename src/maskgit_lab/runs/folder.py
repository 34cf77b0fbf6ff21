"""The files of a run: one folder that says what was configured and what came out."""

import os
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.json_file import read_json, write_json
from maskgit_lab.runs.config_file import write_config

RESULT_REMEDY = "Restore it from a copy, or remove it: python -m maskgit_lab.train resume=RUN_FOLDER writes it again"
# of what is read again; each may be missing
RESULT_TYPES = {
    "status": str, "scores": list, "seconds": dict, "monitor": dict, "protocol": dict, "provenance": dict, "process": dict
}  # fmt: skip
HOLE_SHARE = "train_hole_share"  # of result.json: least and largest usual share of hole pixels, of a run with masks of its own


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run folder."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved configuration of the run."""
        return self.root / "config.yaml"

    @property
    def result(self) -> Path:
        """Status, scores and provenance."""
        return self.root / "result.json"

    @property
    def metrics(self) -> Path:
        """Every curve, as CSV, under the name that Lightning's logger gives it."""
        return self.root / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """best.ckpt and last.ckpt."""
        return self.root / "checkpoints"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer the run was trained with, so that a run folder is complete in itself."""
        return self.root / "tokenizer.pt"

    @property
    def decoder(self) -> Path:
        """The conditional decoder for this tokenizer's tokens; a run may have none."""
        return self.root / "decoder.pt"

    @property
    def figures(self) -> Path:
        """PNG files."""
        return self.root / "figures"

    def checkpoint(self, which: str) -> Path:
        """Find a checkpoint.

        Args:
            which: best or last.

        Returns:
            Its path.

        Raises:
            FileNotFoundError: when the run has none of that name; the message lists what is there.
        """
        path = self.checkpoints / f"{which}.ckpt"
        if not path.is_file():
            there = sorted(p.name for p in self.checkpoints.glob("*.ckpt")) if self.checkpoints.is_dir() else []
            raise FileNotFoundError(f"no checkpoint {path}: the run has {', '.join(there) or 'none'} (checkpoint=best|last)")
        return path

    def write_config(self, text: str) -> None:
        """Write config.yaml in one piece; `collect` may read while a sweep runs."""
        write_config(self.config, text)

    def write_result(self, content: dict[str, Any]) -> None:
        """Write result.json in one piece, so that a reader never sees half of it."""
        write_json(self.result, content)

    def read_result(self) -> dict[str, Any]:
        """Return the content of result.json; raise DamagedFileError, a ValueError, when it is not what was written."""
        content = read_json(self.result, remedy=RESULT_REMEDY)
        if "status" not in content:
            raise DamagedFileError(f"{self.result} is not of a run: it has no status. {RESULT_REMEDY}")
        for name, kind in RESULT_TYPES.items():
            if not isinstance(content.get(name, kind()), kind):
                raise DamagedFileError(f"{self.result} is not of a run: its {name} is {content[name]!r}. {RESULT_REMEDY}")
        return content

    def read_hole_share(self) -> tuple[float, float] | None:
        """Return the usual shares of hole pixels in the masks that the run was trained on, None where they were not recorded.

        Raise DamagedFileError, a ValueError, when result.json is damaged, or they are no two shares.
        """
        share = self.read_result().get(HOLE_SHARE)
        if share is None:
            return None
        numbers = isinstance(share, list) and len(share) == 2 and all(type(number) in (int, float) for number in share)
        if not numbers or not 0 < share[0] <= share[1] <= 1:
            raise DamagedFileError(f"{self.result} is not of a run: its {HOLE_SHARE} is {share!r}. {RESULT_REMEDY}")
        return float(share[0]), float(share[1])

    def record_failure(self, error: BaseException) -> bool:
        """Write an error into result.json of a run that is going on: of several processes the first one records why.

        Args:
            error: what ended the run.

        Returns:
            Whether this was the first; a result that says how an earlier run ended is left alone.
        """
        try:
            content = self.read_result() if self.result.is_file() else {}
        except DamagedFileError:
            content = {}
        if content.get("status", "running") != "running":
            return False
        trace = "".join(traceback.format_exception(error))
        self.write_result(content | {"status": "failed", "error": f"{type(error).__name__}: {error}", "traceback": trace})
        return True


@contextmanager
def whole_figures(folder: RunFolder) -> Iterator[Path]:
    """Yield a folder to draw in; when all went well, what was drawn replaces the figures of the same names, else nothing does."""
    drawn = folder.root / "figures.partial"
    shutil.rmtree(drawn, ignore_errors=True)
    drawn.mkdir(parents=True)
    try:
        yield drawn
        folder.figures.mkdir(exist_ok=True)
        for path in drawn.iterdir():
            path.replace(folder.figures / path.name)
    finally:
        shutil.rmtree(drawn, ignore_errors=True)


def shown_path(path: Path) -> str:
    """Return a path as people type it: relative to the working directory where that is shorter."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
