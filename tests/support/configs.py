"""Compose the YAML files, and check that what they name exists."""

import inspect
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.utils import get_object
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from maskgit_lab.assembly.composing import Composed
from maskgit_lab.assembly.config import config_dir
from maskgit_lab.assembly.read import read
from maskgit_lab.assembly.schemas import TrainConfig, register

CONF = Path(config_dir())


def composed(*overrides: str, name: str = "train") -> DictConfig:
    """Return what Hydra composes, but options of groups only once: values are set over a copy, as Hydra does after composing."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    if any(override.is_sweep_override() for override in parsed):
        return hydra_composed(name, overrides)
    cfg = deepcopy(_options_composed(name, options_among(overrides)))
    ConfigLoaderImpl._apply_overrides_to_config([override for override in parsed if _is_value(override)], cfg)
    return cfg


def options_among(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the overrides that choose options of groups, or are Hydra's."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return tuple(text for text, override in zip(overrides, parsed, strict=True) if not _is_value(override))


def hydra_composed(name: str, overrides: tuple[str, ...], **flags: bool) -> DictConfig:
    """Return what Hydra itself composes, which takes a quarter of a second."""
    _register_once()
    if GlobalHydra.instance().is_initialized():  # the product's own look at its configuration
        return compose(config_name=name, overrides=list(overrides), **flags)
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return compose(config_name=name, overrides=list(overrides), **flags)


def compose_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the product's own look at what was typed begin with options that are composed already, as `composed` does."""
    _register_once()

    def of(name: str, overrides: list[str]) -> Composed:
        cfg = composed(*overrides, name=name)
        with open_dict(cfg):
            cfg.hydra = {"mode": _whole(name, options_among(overrides)).hydra.mode}
        return Composed(name, overrides, cfg)

    monkeypatch.setattr("maskgit_lab.commands.shell.Composed.of", of)


@cache
def _whole(name: str, options: tuple[str, ...]) -> DictConfig:
    """Return what Hydra composes, with its own node."""
    return hydra_composed(name, options, return_hydra_config=True)


@cache
def _options_composed(name: str, options: tuple[str, ...]) -> DictConfig:
    cfg = deepcopy(_whole(name, options))
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


_register_once = cache(register)


def _is_value(override: Override) -> bool:
    """Return whether an override sets a value, and chooses no option of a group."""
    return not (CONF / override.key_or_group).is_dir() and not override.key_or_group.startswith("hydra")


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
