"""Read the configuration that a folder records: data, which can only say what the values are.

A run folder may come from anybody. Tags that make objects, aliases that make a small file huge, and interpolations that call
something or read the environment are refused; `assembly.trust` looks at what is left.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.runs.config_file import REMEDY, checked_text

MAX_BYTES = 200_000  # ours have 5,000
MAX_DEPTH = 20  # ours have 4
# ${key} and ${..key}; a resolver has a colon, and one inside another may have anything
PLAIN = re.compile(r"\$\{[.\w]+\}")


def read_recorded(path: Path) -> DictConfig:
    """Return a recorded configuration, untyped.

    Raise ValueError naming the file and what it may not hold, FileNotFoundError when there is none.
    """
    config = read_values(path)
    for key, value in leaves(OmegaConf.to_container(config, resolve=False)):
        if isinstance(value, str) and "${" in PLAIN.sub("", value.replace("\\${", "")):
            raise ValueError(f"{path}: {key} is {value!r}: a configuration that is read from a folder may not call resolvers")
    return config


def read_values(path: Path) -> DictConfig:
    """Return what a YAML file holds, nothing resolved; for errors see `read_recorded`."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES:,} bytes: this is no configuration of a run")
    text = checked_text(path)
    try:
        trick = _trick(text)
        config = None if trick else OmegaConf.create(text)
    except (yaml.YAMLError, OmegaConfBaseException, RecursionError, ValueError) as error:
        raise DamagedFileError(f"{path} is damaged: {_first_words(error)}. {REMEDY}") from error
    if trick:
        raise ValueError(f"{path}, {trick}, which no run writes: a configuration that is read from a folder holds values only")
    # a line of text is read as a key without a value
    if not isinstance(config, DictConfig) or config._is_none() or all(config._get_node(key)._is_none() for key in config):  # type: ignore[union-attr]
        raise DamagedFileError(f"{path} is damaged: it holds no keys. {REMEDY}")
    return config


def leaves(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Return (dotted key, value) of everything in nested dictionaries and lists that is neither."""
    if isinstance(node, dict):
        return [found for key, value in node.items() for found in leaves(value, f"{prefix}.{key}" if prefix else str(key))]
    if isinstance(node, list):
        return [found for i, value in enumerate(node) for found in leaves(value, f"{prefix}[{i}]")]
    return [(prefix, node)]


def _trick(text: str) -> str | None:
    """Look at the file piece by piece, before anything is made of it; return what it may not hold, and where."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            return f"{line}: an alias"
        if getattr(event, "tag", None):
            return f"{line}: the tag {event.tag}"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return f"{line}: values nested deeper than {MAX_DEPTH}"
    return None


def _first_words(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} in line {error.problem_mark.line + 1}"
    return str(error).partition("\n")[0] or type(error).__name__
