"""A run and a sweep to look at: the newest there are, else small ones made on the spot. The notebooks begin here."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from maskgit_lab.runs.sweep import read_result

log = logging.getLogger("maskgit_lab")

# half a minute on two cores: enough for fur and outlines, not for eyes; `make demo` does better
QUICK = (
    "data.source.num_train=1000", "data.source.num_val=64", "data.source.num_test=64", "tokenizer.seed=0",
    "tokenizer.training.max_steps=200", "tokenizer.training.val_every_n_steps=100", "data.num_val_fills=16",
    "trainer.max_epochs=1", "callbacks.samples=null", "callbacks.fixed_train_loss=null", "decode.figure_steps=8", "logger=csv",
)  # fmt: skip
SWEEP = ("-m", "mask_schedule=linear,cosine", "decode.sweet_spot=3,7", "callbacks.scores=null", "name=example")


def example_run(runs: str | Path = "runs", *, overrides: Sequence[str] = ()) -> Path:
    """Find the newest completed run below a folder, or make a quick one there.

    Args:
        runs: folder of runs, as `paths.runs`.
        overrides: on top of the quick run's.

    Returns:
        The run folder.
    """
    pattern = "*/*/config.yaml"
    return _newest(Path(runs), pattern) or _made(Path(runs), pattern, "name=example", overrides=overrides)


def example_sweep(runs: str | Path = "runs", *, overrides: Sequence[str] = ()) -> Path:
    """Return the newest sweep with a completed job below a folder, or make a quick one there: two schedules, two sweet spots."""
    pattern = "sweeps/*/*/*/config.yaml"
    job = _newest(Path(runs), pattern) or _made(Path(runs), pattern, *SWEEP, overrides=overrides)
    return job.parent


def _newest(runs: Path, pattern: str) -> Path | None:
    folders = (path.parent for path in runs.glob(pattern) if "sweeps" not in path.parts or "sweeps" in pattern)
    done = [folder for folder in folders if _completed(folder)]
    return max(done, key=lambda folder: (folder / "result.json").stat().st_mtime, default=None)


def _completed(folder: Path) -> bool:
    try:
        return read_result(folder).get("status") == "completed"
    except ValueError:  # a damaged one is no example
        return False


def _made(runs: Path, pattern: str, *arguments: str, overrides: Sequence[str]) -> Path:
    """Run the command as a user would, quietly; raise RuntimeError with what it printed last when it fails."""
    command = [sys.executable, "-m", "maskgit_lab.train", *arguments, *QUICK, *overrides, f"paths.runs={runs}"]
    log.info(f"Making an example: {' '.join(command[1:])}")
    answer = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    folder = _newest(runs, pattern)
    if answer.returncode or folder is None:
        raise RuntimeError(f"the example was not made: {answer.stderr[-2000:]}")
    return folder
