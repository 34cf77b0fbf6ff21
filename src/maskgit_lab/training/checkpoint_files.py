"""How checkpoints get to the disk and back: whole or not at all, with a checksum, beside the file that they replace.

Lightning's own way goes through a temporary folder, from which the file is copied over the old one when that is another device.
"""

from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.tensor_file import load_tensors, save_tensors

REMEDY = "Restore it from a copy, or train anew"
NEEDED = ("state_dict", "epoch", "global_step", "pytorch-lightning_version")  # what every checkpoint of Lightning's has


class WholeCheckpoints(CheckpointIO):
    """Write and read the checkpoints of a trainer: give it to `Trainer(plugins=[...])`."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; CannotWriteError when the disk is full, read-only or not permitted, and the old one is untouched."""
        if storage_options is not None:
            raise TypeError("checkpoints are files of this machine: storage_options has no effect")
        save_tensors(checkpoint, Path(path))

    def load_checkpoint(self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint; no code in it is ever run, whatever `weights_only` says. For the errors see `read_checkpoint`."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint that Lightning keeps no longer."""
        Path(path).unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a training checkpoint onto the CPU.

    Raise FileNotFoundError when there is none, DamagedFileError when it is damaged or of another kind; the message names those
    beside it that are whole.
    """
    try:
        return _read(path, "")
    except DamagedFileError as error:
        raise DamagedFileError(f"{error}{_remedy(path)}") from error


def _read(path: Path, remedy: str) -> dict[str, Any]:
    content = load_tensors(path, what="a checkpoint", remedy=remedy)
    if not isinstance(content, dict) or not set(NEEDED) <= set(content):
        raise DamagedFileError(f"{path} is not a checkpoint of a training run. {remedy}")
    return content


def _remedy(path: Path) -> str:
    """Return what to do about a damaged checkpoint: use another one of the run, if one is whole."""
    others = [other for other in sorted(path.parent.glob("*.ckpt")) if other != path and _is_whole(other)]
    if not others:
        return REMEDY
    options = " or ".join(f"checkpoint={other.stem}" for other in others)
    return f"{' and '.join(other.name for other in others)} beside it is whole: use {options}, or restore the file from a copy"


def _is_whole(path: Path) -> bool:
    try:
        _read(path, "")
    except (DamagedFileError, OSError):
        return False
    return True
