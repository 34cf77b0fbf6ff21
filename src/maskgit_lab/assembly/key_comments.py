"""What the YAML files say about their keys, for `--help` and for the reference of the configuration."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

GLOBAL = "@package _global_"  # Hydra's mark of files whose keys are the root's


def comments(path: Path) -> dict[str, str]:
    """Return dotted key -> comment of one YAML file; a key without a comment is not in it.

    A comment goes on in the lines below it that hold nothing else and begin at the same column. What is said of a group in the list
    of defaults is said of its key.
    """
    return dict(_comments(path))


@cache
def _comments(path: Path) -> tuple[tuple[str, str], ...]:
    text = path.read_text(encoding="utf-8")
    return tuple(_walk(yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines(), ""))


def _walk(node: yaml.Node | None, lines: list[str], prefix: str) -> Iterator[tuple[str, str]]:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        mark = key.end_mark if block else value.end_mark
        comment = _behind(lines, mark.line, mark.column)
        if comment:
            yield f"{prefix}{key.value}", comment
        if key.value == "defaults" and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                yield from _walk(item, lines, prefix)
        yield from _walk(value, lines, f"{prefix}{key.value}.")


def _behind(lines: list[str], line: int, column: int) -> str:
    """Return the comment that begins behind a place, and goes on below."""
    found = re.match(r":?\s+#\s?(.*)$", lines[line][column:]) if line < len(lines) else None
    if found is None:
        return ""
    parts, start = [found[1].strip()], lines[line].index("#", column)
    for below in lines[line + 1 :]:
        if below[:start].strip() or not below[start:].startswith("#"):
            break
        parts.append(below[start + 1 :].strip())
    return " ".join(parts)


def sentence(path: Path) -> str:
    """Return the first line of a file's head that says what the file is; nothing where it has none."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            return ""
        if GLOBAL not in line:
            return line.lstrip("# ").strip()
    return ""


def files_of(folder: Path, group: str, option: str) -> list[Path]:
    """Return the files whose comments count for an option: its own, those it is made from, and the others of its group.

    An option that leaves a key as another one has it need not say again what the key means.
    """
    place = folder / group
    chain = made_from(place, option)
    return [*chain, *(path for path in sorted(place.glob("*.yaml")) if path not in chain)]


@cache
def made_from(place: Path, option: str) -> tuple[Path, ...]:
    """Return the file of an option and those in its folder that it is made from."""
    path = place / f"{option}.yaml"
    if not path.is_file():
        return ()
    defaults = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("defaults", [])
    names = [entry for entry in defaults if isinstance(entry, str) and entry != "_self_"]
    return (path, *(further for name in names for further in made_from(place, name)))
