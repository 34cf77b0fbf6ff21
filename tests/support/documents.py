"""What the README and the documentation show: commands, and files to be written."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


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
