"""Compose the YAML files, and check that what they name exists."""

import inspect
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf

from maskgit_lab.assembly.config import config_dir
from maskgit_lab.assembly.read import read
from maskgit_lab.assembly.schemas import TrainConfig, register

CONF = Path(config_dir())


def composed(*overrides: str, name: str = "train") -> DictConfig:
    return deepcopy(_composed(name, overrides))


@cache  # a fifth of a second each, and many tests begin with the same
def _composed(name: str, overrides: tuple[str, ...]) -> DictConfig:
    register()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return compose(config_name=name, overrides=list(overrides))


def configuration(*overrides: str) -> TrainConfig:
    """Return what `train` is told by a command line."""
    told = read("train", composed(*overrides), overrides)
    assert isinstance(told, TrainConfig)
    return told


def targets(node: Any) -> Iterator[DictConfig]:
    """Yield every node with a `_target_`."""
    if isinstance(node, DictConfig) and not node._is_none():
        if "_target_" in node:
            yield node
        for key in node:
            if not OmegaConf.is_missing(node, key) and key != "_target_":
                yield from targets(node._get_node(key))
    elif isinstance(node, ListConfig):
        for item in node:
            yield from targets(item)


def check_target(node: DictConfig) -> None:
    parameters = inspect.signature(get_object(node["_target_"])).parameters
    given = {str(key) for key in node if not str(key).startswith("_")}
    if not any(p.kind == p.VAR_KEYWORD for p in parameters.values()):
        assert given <= set(parameters), f"{node['_target_']} does not take {given - set(parameters)}"
