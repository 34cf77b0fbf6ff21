"""Read a run's training checkpoints: onto the CPU, whole or not at all; Lightning is not needed for it."""

from pathlib import Path
from typing import Any

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.tensor_file import load_tensors

REMEDY = "Restore it from a copy, or train anew"
NEEDED = ("state_dict", "epoch", "global_step", "pytorch-lightning_version")  # what every checkpoint of Lightning's has
TOKENIZER_KEY = "tokenizer_sha256"  # which tokenizer the tokens came from


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
