"""What `--help` prints of a command: its groups, and each key with its value and what its YAML file says about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import hydra
from omegaconf import Container, DictConfig, Node, OmegaConf

from maskgit_lab.assembly.config import config_dir, options_of, search_path
from maskgit_lab.assembly.key_comments import comments, files_of, made_from
from maskgit_lab.assembly.schemas import register

WIDTH = 80  # columns of a terminal
COLUMN = 34  # where what is said of a key begins
# what acts on stage 1; its configuration has the other keys of `train`, too, so that the same overrides find the same tokenizer
ACTING = {"train_tokenizer": ("seed", "paths", "data", "tokenizer", "trainer", "recipe", "experiment", "debug")}


@dataclass(frozen=True)
class KeyLine:
    """One key of a composed configuration."""

    key: str  # dotted
    value: str | None  # as it is typed; None = a group of keys
    comment: str


def help_text(name: str, head: str, overrides: list[str], folder: str | None = None) -> str:
    """Return what `--help` prints: the head, the groups and their options, and every key with its value and meaning.

    Hydra's own `--help` shows less after several seconds: it copies the whole configuration store for every group.

    Args:
        name: of the command.
        head: docstring of its module, a sentence and examples.
        overrides: KEY=VALUE as typed.
        folder: a further one with YAML files (`--config-dir`).

    Returns:
        The text, no line longer than a terminal.
    """
    cfg = _composed(name, overrides, folder)
    lines = list(key_lines(name, cfg))
    purposes = _root_comments(name) | {line.key: line.comment for line in lines if "." in line.key}
    groups = {group: options_of(group, folder) for group in sorted(_groups(name, cfg))}
    shown = [
        text for group, options in groups.items() if len(options) > 1
        for text in _paragraph(group, purposes.get(group.replace("/", "."), ""), options)
    ]  # fmt: skip
    text = [*_head(head), ""]
    if shown:
        text += ["== Groups (group=option) ==", *shown, ""]
    text += ["== Keys (key=value) ==", *_shown(lines), ""]
    more = (
        "--cfg job prints the configuration with your overrides; --hydra-help is about Hydra itself. Units and ranges of every "
        "key: docs/reference/configuration.md."
    )
    if name in ACTING:
        more += " Keys of `train` that do not act here are taken, too: the same overrides find the same tokenizer."
    return "\n".join([*text, "== More ==", *wrap(more, WIDTH)])


def key_lines(name: str, cfg: DictConfig) -> Iterator[KeyLine]:
    """Yield every key of a command's composed configuration that somebody may type, with what is said about it."""
    folder = Path(config_dir())
    said = _root_comments(name)
    choices = {str(group): str(option) for group, option in cfg.hydra.runtime.choices.items() if "hydra/" not in str(group)}
    for group in sorted(choices, key=len):
        prefix = group.replace("/", ".")
        inside = _first([(comments(path), f"{prefix}.") for path in files_of(folder, group, choices[group])])
        said = inside | said
    for key in map(str, cfg):
        if key != "hydra" and key in ACTING.get(name, (key,)):
            yield from _key_lines(key, cfg._get_node(key), said)


def _composed(name: str, overrides: list[str], folder: str | None) -> DictConfig:
    register()
    with hydra.initialize_config_dir(version_base="1.3", config_dir=config_dir()):
        return hydra.compose(name, overrides=overrides + search_path(folder), return_hydra_config=True)


def _groups(name: str, cfg: DictConfig) -> list[str]:
    groups = [str(group) for group in cfg.hydra.runtime.choices if not str(group).startswith("hydra/")]
    return [group for group in groups if group.partition("/")[0] in ACTING.get(name, groups) or group in ACTING.get(name, groups)]


def _root_comments(name: str) -> dict[str, str]:
    """Return what the file of a command says about its keys and groups."""
    return _first([(comments(path), "") for path in made_from(Path(config_dir()), name)])


def _key_lines(key: str, node: Any, said: dict[str, str]) -> Iterator[KeyLine]:
    if isinstance(node, DictConfig) and not (node._is_none() or node._is_interpolation() or node._is_missing()):
        target = str(node._value().get("_target_", "")).rpartition(".")[2]
        comment = " ".join(part for part in (said.get(key, ""), f"({target})" if target else "") if part)
        yield KeyLine(key, None, comment)
        for name in map(str, node):
            if not name.startswith("_"):
                yield from _key_lines(f"{key}.{name}", node._get_node(name), said)
        return
    value = as_typed(node)
    if not value.startswith("${.."):  # follows a key of the same group, which is the one to type
        yield KeyLine(key, value, said.get(key, ""))


def as_typed(node: Any) -> str:
    """Return a value in one line, as on the command line."""
    if isinstance(node, Node):
        node = OmegaConf.to_container(node, resolve=False) if isinstance(node, Container) and not node._is_none() else node._value()
    return _text(node)


def _text(plain: Any) -> str:
    if isinstance(plain, list):
        return "[" + ",".join(_text(item) for item in plain) + "]"
    if isinstance(plain, dict):
        return "{" + ",".join(f"{key}:{_text(item)}" for key, item in plain.items()) + "}"
    return "null" if plain is None else str(plain).lower() if isinstance(plain, bool) else "''" if plain == "" else str(plain)


def _head(head: str) -> Iterator[str]:
    """Yield a command's docstring: its sentence, and its examples as they can be typed."""
    first, _, examples = head.strip().partition("\n\n")
    yield from [*wrap(first, WIDTH), ""]
    for example in examples.splitlines():
        parts = wrap(example, WIDTH - 8, break_on_hyphens=False, break_long_words=False)
        yield from ("  " * (2 if i else 1) + part + " \\" * (part is not parts[-1]) for i, part in enumerate(parts))


def _paragraph(group: str, purpose: str, options: list[str]) -> Iterator[str]:
    yield from wrap(f"{group}: {purpose}" if purpose else group, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    yield from wrap(", ".join(options), WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)


def _shown(lines: list[KeyLine]) -> Iterator[str]:
    """Yield the lines of the terminal: every group a paragraph, its keys below each other."""
    nested = False
    for line in lines:
        depth, own = line.key.count("."), line.key.rpartition(".")[2]
        if depth == 0 and (nested or line.value is None):
            yield ""
        nested = depth > 0 or line.value is None
        yield from _entry("  " * depth + (f"{own}:" if line.value is None else f"{own}: {line.value}"), line.comment)


def _entry(left: str, right: str) -> Iterator[str]:
    """Yield a key with what is said of it in a column beside it; below it where one of both is too long."""
    column = COLUMN if all(len(word) <= WIDTH - COLUMN for word in right.split()) else 8
    parts = wrap(right, WIDTH - column, break_on_hyphens=False, break_long_words=False)
    beside = parts and len(left) <= column - 2
    yield f"{left:<{column}}{parts[0]}" if beside else left
    yield from (" " * column + part for part in (parts[1:] if beside else parts))


def _first(found: list[tuple[dict[str, str], str]]) -> dict[str, str]:
    """Return comments by key, of several files the first that has one; each file with the prefix of its keys."""
    result: dict[str, str] = {}
    for said, prefix in found:
        result = {f"{prefix}{key}": text for key, text in said.items()} | result
    return result
