"""Read a configuration: from Hydra's nodes, or from the file of a run, to the named, typed values of its schema.

The last place that sees a DictConfig.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError

from maskgit_lab.assembly.schemas import SCHEMAS, TrainConfig
from maskgit_lab.runs.config_file import read_config
from maskgit_lab.runs.folder import RunFolder

Schema = TypeVar("Schema")


def read(command: str, cfg: DictConfig, overrides: Sequence[str]) -> Any:
    """Turn what a command is told, as Hydra composed it and KEY=VALUE as typed, into an instance of its schema in `SCHEMAS`.

    Raise OmegaConfBaseException naming a key that has no value, or a value of another type; for other errors see `resumed`.
    """
    prepare = _PREPARE.get(command)
    return typed(prepare(cfg, overrides) if prepare else cfg, SCHEMAS[command])


def typed(cfg: DictConfig, schema: type[Schema]) -> Schema:
    """Return a configuration as its schema's object; keys it does not have get the schema's defaults."""
    made = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), cfg))
    assert isinstance(made, schema)
    return made


def load_config(root: str | Path) -> TrainConfig:
    """Read the configuration that a run folder records, typed.

    Raise FileNotFoundError when the folder is not a run's, ValueError when the run has a key that this version does not know.
    """
    try:
        return typed(_recorded(Path(root)), TrainConfig)
    except ConfigKeyError as error:
        raise ValueError(f"{RunFolder(Path(root)).config}: {error.msg or error}, written by another version?") from error


def as_yaml(config: TrainConfig) -> str:
    """Return a configuration as the text of config.yaml."""
    return OmegaConf.to_yaml(OmegaConf.create(asdict(config)))


def num_devices(cfg: DictConfig) -> Any:
    """Return how many devices a command asks for, as Lightning's trainer takes it; 1 where there is no trainer."""
    return cfg.get("trainer", {}).get("devices", 1)


def resumed(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Choose what to run: the configuration as composed, or that of the run in `resume` with what was typed (KEY=VALUE) on top.

    Raise FileNotFoundError when `resume` is not a run folder, ValueError when an override names a key that the run does not have.
    """
    folder = cfg.resume
    if folder is None:
        return cfg
    recorded = OmegaConf.merge(OmegaConf.structured(TrainConfig), _recorded(Path(folder)))
    assert isinstance(recorded, DictConfig)
    OmegaConf.update(recorded, "checkpoint", cfg.checkpoint)  # this time's choice
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        if key == "resume":
            continue
        if OmegaConf.select(recorded, key, default=OmegaConf) is OmegaConf:
            raise ValueError(f"{key} cannot be changed on resume: the run in {folder} has no such key")
        parsed = OmegaConf.create(f"value: {value}").value
        if OmegaConf.is_config(OmegaConf.select(recorded, key)) and not OmegaConf.is_config(parsed):
            raise ValueError(f"{key} is a group: on resume single values can be changed, e.g. trainer.max_epochs=20")
        OmegaConf.update(recorded, key, parsed)
    OmegaConf.update(recorded, "resume", str(Path(folder).resolve()))
    return recorded


def _as_distributed(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Ask for the data with its duplicates, whatever `data.split` says: `audit` looks for them."""
    if OmegaConf.select(cfg, "data.split") is not None:
        OmegaConf.update(cfg, "data.split", "lab")
    return cfg


_PREPARE: dict[str, Callable[[DictConfig, Sequence[str]], DictConfig]] = {"train": resumed, "audit": _as_distributed}


def _recorded(root: Path) -> DictConfig:
    path = RunFolder(root).config
    if not path.is_file():
        raise FileNotFoundError(f"{root} is not a run folder of maskgit_lab: it has no {path.name} (run=RUN_FOLDER)")
    return read_config(path)
