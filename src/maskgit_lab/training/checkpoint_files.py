"""How checkpoints get to the disk and back: whole or not at all, with a checksum, beside the file that they replace.

Lightning's own way goes through a temporary folder, from which the file is copied over the old one when that is another device.
"""

from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from maskgit_lab.machine.tensor_file import save_tensors
from maskgit_lab.runs.checkpoint import read_checkpoint


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
