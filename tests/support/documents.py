"""What the README and the documentation show: commands, and files to be written."""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from maskgit_lab.data.synthetic_cats import render_cats
from tests.support.builders import boxes, write_pictures

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
FIXTURE_RUN = ROOT / "tests" / "fixtures" / "run"
FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
RUNS = (
    "RUN", "runs/cosine/RUN", "runs/bend/RUN", "runs/cats_cpu/RUN", "runs/default/RUN", "runs/sweeps/NAME/DATE/0",
    "runs/cosine/2026-01-31_12-00-00", "multirun/2026-01-31/12-00-00/0",
)  # fmt: skip
IMAGES = ("photos", "tests", "filled", "test_gt", "DIR/train", "DIR/val", "DIR/masked_image", "DIR/test_gt")
MASKS = ("masks", "mask64", "DIR/mask64")
EMPTY = ("VQGAN.pt", "ckpt.pt", "inception_v3.pth", "squeezenet1_0.pth")  # only looked for
NUM_IMAGES = 3


@dataclass(frozen=True)
class Shown:
    """One command line of a page."""

    page: str
    line: str

    @property
    def module(self) -> str | None:
        """Name of this package's command that it starts, also through other programs; None = another program."""
        found = re.search(r"-m maskgit_lab\.(\w+)", self.line)
        return found[1] if found else None

    @property
    def arguments(self) -> list[str]:
        """What is typed after the command's name."""
        return shlex.split(self.line.partition(f"maskgit_lab.{self.module}")[2])


def shown_commands() -> list[Shown]:
    """Return every line of every shell block, continued lines as one, without comments; each command once."""
    found: dict[str, Shown] = {}
    for page in PAGES:
        for language, _, text in FENCE.findall(page.read_text(encoding="utf-8")):
            if language == "bash":
                for line in re.sub(r"\\\n\s*", "", text).splitlines():
                    command = re.sub(r"(^|\s+)#.*$", "", line).strip()
                    if command:
                        found.setdefault(command, Shown(page.relative_to(ROOT).as_posix(), command))
    return list(found.values())


def shown_files(page: Path) -> dict[str, str]:
    """Return the files that a page shows, by the names in their titles."""
    return {title: text for _, title, text in FENCE.findall(page.read_text(encoding="utf-8")) if title}


def write_shown_files(page: Path, folder: Path) -> list[Path]:
    """Write the files that a page shows."""
    paths = []
    for name, text in shown_files(page).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def make_workplace(folder: Path) -> Path:
    """Fill a folder with what the commands of the pages name: runs, photos, masks, the lab's folder, checkpoints."""
    for name in RUNS:
        shutil.copytree(FIXTURE_RUN, folder / name)
    cats, holes = render_cats(5, range(NUM_IMAGES), 64), boxes(NUM_IMAGES, resolution=64)
    for name in IMAGES:
        write_pictures(folder / name, cats)
    for name in MASKS:
        write_pictures(folder / name, holes)
    write_pictures(folder, holes[:1], name="scratch.png")
    for name in ("photo.jpg", "b.jpg", "a.png"):
        write_pictures(folder, cats[:1], name=name)
    cut = Image.fromarray(cats[0])
    cut.putalpha(Image.fromarray(np.where(holes[0], 0, 255).astype(np.uint8)))
    cut.save(folder / "cut_out.png")
    for name in EMPTY:
        (folder / name).touch()
    write_shown_files(ROOT / "docs" / "extending.md", folder)
    return folder
