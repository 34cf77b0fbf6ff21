"""Which files of a folder are images. A folder of photos holds other things too: they are left out, and said in one line."""

import logging
import os
import re
import stat
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from maskgit_lab.data.file_names import shown, some
from maskgit_lab.data.image_kinds import kind_of, readable_formats

log = logging.getLogger("maskgit_lab")

# files with these names are images, damaged ones too: a problem with one of them is told, not left out
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
# these may be, if their bytes say so; a copy like photo.jpg.bak or photo.jpg_original is none
MAYBE = {
    "", ".jfif", ".jpe", ".jif", ".pjpeg", ".pjp", ".mpo", ".jp2", ".j2k", ".jpf", ".jpx", ".avif", ".avifs", ".heic", ".heif",
    ".jxl", ".apng", ".dib", ".pbm", ".pnm", ".pfm", ".qoi", ".psd",
}  # fmt: skip
NUM_NAMES = 3  # per kind of file that is left out
MOST_IN_SUBFOLDERS = 1000  # files looked at below one subfolder


def list_images(folder: Path, *, key: str) -> list[Path]:
    """List the image files of a folder and log what else is there; a single file is a list of one.

    Args:
        folder: a folder, not searched deeper, or a single file.
        key: configuration key that named it, for messages.

    Returns:
        Paths in natural order: image_2 before image_10.

    Raises:
        FileNotFoundError: when there is no such folder or it holds no images.
        ValueError: when it may not be read.
    """
    folder = folder.expanduser()
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise FileNotFoundError(f"{key}: no folder {shown(folder)}")
    entries = _entries(folder, key)
    files, left_out = _sorted_out(folder, entries)
    said = _said(left_out)
    said += _below(folder, entries, key, before="; " if said else "")
    _tell(files, folder, said, key)
    return files


def list_tree(folder: Path, *, key: str, without: Sequence[Path] = ()) -> list[Path]:
    """List the image files of a folder and of all folders in it, and log what else is there; a single file is a list of one.

    Args:
        folder: a folder or a single file. Hidden folders are left out, and links to folders, which may lead in a circle.
        key: configuration key that named it, for messages.
        without: folders below it that are left out: masks, results.

    Returns:
        Paths folder by folder, each in natural order, those of a folder before those of its subfolders.

    Raises:
        FileNotFoundError: when there is no such folder or it holds no images.
        ValueError: when one may not be read.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        return list_images(folder, key=key)
    skipped = {path.expanduser().resolve() for path in without} - {folder.resolve()}
    files: list[Path] = []
    left_out: dict[str, list[str]] = defaultdict(list)
    waiting = [folder]
    while waiting:
        place = waiting.pop(0)
        entries = _entries(place, key)
        own, others = _sorted_out(place, entries)
        files += own
        for reason, names in others.items():
            left_out[reason] += [shown(place.relative_to(folder) / name) for name in names]
        folders = [entry for entry in entries if _is_folder(entry) and not entry.name.startswith(".")]
        left_out["linked folders"] += [shown(Path(entry.path).relative_to(folder)) for entry in folders if entry.is_symlink()]
        below = [Path(entry.path) for entry in folders if not entry.is_symlink() and Path(entry.path).resolve() not in skipped]
        waiting = below + waiting
    _tell(files, folder, _said({reason: names for reason, names in left_out.items() if names}), key)
    return files


def _entries(folder: Path, key: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: natural_order(entry.name))
    except OSError as error:
        raise ValueError(f"{key}: {shown(folder)} cannot be read ({error.strerror})") from error


def _sorted_out(folder: Path, entries: list[os.DirEntry[str]]) -> tuple[list[Path], dict[str, list[str]]]:
    """Return the images among the entries of a folder, and the names of what else is there by the reason that it is left out."""
    files, left_out = [], defaultdict(list)
    for entry in entries:
        reason = _why_not(entry)
        if reason is None:
            files.append(folder / entry.name)
        elif reason:
            left_out[reason].append(shown(entry.name))
    return files, left_out


def _said(left_out: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{reason}: {len(names):,} ({some(names, most=NUM_NAMES)})" for reason, names in left_out.items())


def _tell(files: list[Path], folder: Path, said: str, key: str) -> None:
    """Log what a folder holds beside images; raise FileNotFoundError when it holds none."""
    if not files:
        looked_for = ", ".join(sorted(SUFFIXES))
        raise FileNotFoundError(
            f"{key}: no images in {shown(folder)} (looked for {looked_for})" + (f"; there are {said}" * bool(said))
        )
    if said:
        log.info(f"{key}: {len(files):,} images in {shown(folder)}; not read: {said}")


def natural_order(name: str) -> list[int | str]:
    """Return the key that sorts image_2 before image_10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]


def _why_not(entry: os.DirEntry[str]) -> str | None:
    """Return why a file is left out, as a plural; None for an image, empty for a folder, which is told apart."""
    try:
        found = entry.stat()
    except OSError:
        return "dead links"
    if stat.S_ISDIR(found.st_mode):
        return ""
    if not stat.S_ISREG(found.st_mode):
        return "pipes or devices"
    if entry.name.startswith("."):
        return "hidden files"
    if found.st_size == 0:
        return "empty files"
    suffix = _suffix(entry.name)
    if suffix in SUFFIXES:
        return None
    if suffix not in MAYBE:  # raw photos among them: Pillow would read the small preview in their TIFF
        return "other files"
    try:
        kind = kind_of(Path(entry.path))
    except OSError:
        return "files that may not be read"
    if kind in readable_formats():
        return None
    return f"{kind} files, to be converted to PNG or JPEG" if kind else "other files"


def _suffix(name: str) -> str:
    """Return the suffix in lower case; what is no word, as in `photo.2024-05-01`, is none."""
    suffix = Path(name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z][a-z0-9_~]*", suffix) else ""


def _below(folder: Path, entries: list[os.DirEntry[str]], key: str, *, before: str) -> str:
    """Say how many images the subfolders hold, which are not searched."""
    counts = {}
    for entry in entries:
        if not entry.name.startswith(".") and _is_folder(entry):
            try:
                with os.scandir(entry.path) as inside:
                    names = [found.name for found, _ in zip(inside, range(MOST_IN_SUBFOLDERS), strict=False)]
            except OSError:
                continue
            if number := sum(_suffix(name) in SUFFIXES and not name.startswith(".") for name in names):
                counts[entry.name] = number
    if not counts:
        return ""
    shown_names = some([shown(name) for name in counts], most=NUM_NAMES)
    return f"{before}in subfolders: {sum(counts.values()):,} ({shown_names}; {key}={shown(folder / next(iter(counts)))} reads one)"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
