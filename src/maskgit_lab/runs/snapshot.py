"""What a run folder said before a command went on with it, to be put back when the command achieved nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from maskgit_lab.machine.whole_file import whole_file
from maskgit_lab.runs.folder import RunFolder


@dataclass(frozen=True)
class Snapshot:
    """The small files of a run folder, and the state of its checkpoints."""

    folder: RunFolder
    texts: dict[Path, bytes]
    checkpoints: dict[str, tuple[int, int, int]]

    @classmethod
    def of(cls, folder: RunFolder) -> Self:
        """Read them; a file that is not there is left out."""
        small = (folder.config, folder.result, folder.metrics)
        return cls(folder, {path: path.read_bytes() for path in small if path.is_file()}, _state(folder))

    def trained_since(self) -> bool:
        """Return whether a checkpoint was written since."""
        return _state(self.folder) != self.checkpoints

    def put_back(self, *paths: Path) -> None:
        """Write these of the files as they were."""
        for path in paths:
            if path in self.texts:
                with whole_file(path) as partial:
                    partial.write_bytes(self.texts[path])


def _state(folder: RunFolder) -> dict[str, tuple[int, int, int]]:
    stats = {path.name: path.stat() for path in folder.checkpoints.glob("*.ckpt")}
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}
