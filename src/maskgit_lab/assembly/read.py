"""Read a configuration: from Hydra's nodes, or from the file of a run, to the named, typed values of its schema.

The last place that sees a DictConfig.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from maskgit_lab.assembly.check import check, flat, require_parts
from maskgit_lab.assembly.numbers import check_numbers
from maskgit_lab.assembly.resolution import followed
from maskgit_lab.assembly.resume import AUTO, changed, same_run
from maskgit_lab.assembly.schemas import SCHEMAS, TrainConfig
from maskgit_lab.assembly.trust import check_recorded
from maskgit_lab.runs.claim import require_idle
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.runs.recorded import read_recorded

Schema = TypeVar("Schema")

OF_SWEEPS_TOO = ("report", "app")  # commands whose `run` may be the folder of a sweep


def read(command: str, cfg: DictConfig, overrides: Sequence[str], *, config_folder: str | None = None) -> Any:
    """Turn what a command is told, as Hydra composed it and KEY=VALUE as typed, into an instance of its schema in `SCHEMAS`.

    `config_folder`: a further folder of option files (--config-dir).

    Raise OmegaConfBaseException for a value of another type, ValueError for any other mistake that the configuration itself shows;
    see also `resumed`.
    """
    prepare = _PREPARE.get(command)
    prepared = prepare(cfg, overrides) if prepare else cfg
    composed = prepared is cfg
    prepared = followed(prepared)
    require_values(prepared)
    config: Any = typed(prepared, SCHEMAS[command])
    if getattr(config, "run", None) == "":
        raise ValueError("run is empty: run=RUN_FOLDER")
    check(config, cfg if composed else None, config_folder=config_folder)
    if getattr(config, "run", None) is not None and not (command in OF_SWEEPS_TOO and _is_sweep(Path(config.run))):
        load_config(config.run)  # a run that cannot be read is said now, not after the imports
    return config


def require_values(cfg: DictConfig) -> None:
    """Raise ValueError naming the keys that must be given and are not."""
    values = flat(OmegaConf.to_container(cfg, resolve=False))
    missing = [key for key, value in values.items() if value == MISSING and not key.startswith("hydra.")]
    if missing:
        raise ValueError(
            f"{' and '.join(missing)} must be given: {' '.join(f'{key}=...' for key in missing)} (--help says what it is)"
        )


def typed(cfg: DictConfig, schema: type[Schema]) -> Schema:
    """Return a configuration as its schema's object; keys it does not have get the schema's defaults."""
    made = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), cfg))
    assert isinstance(made, schema)
    return made


def load_config(root: str | Path) -> TrainConfig:
    """Read the configuration that a run folder records, typed.

    Raise FileNotFoundError when the folder is not a run's, ValueError when its config.yaml is damaged, has a key that this version
    does not know, or asks for what `assembly.trust` does not allow.
    """
    path = RunFolder(Path(root)).config
    with _naming(path):
        config = typed(_recorded(Path(root)), TrainConfig)
    try:
        require_parts(config)
        check_numbers(config)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return config


def as_yaml(config: TrainConfig) -> str:
    """Return a configuration as the text of config.yaml."""
    own = {"resume": None, "checkpoint": "last", "force": False}  # of the command, not of the run
    return OmegaConf.to_yaml(OmegaConf.create(asdict(config) | own))


def num_devices(cfg: DictConfig) -> Any:
    """Return how many devices a command asks for, as Lightning's trainer takes it; 1 where there is no trainer."""
    return cfg.get("trainer", {}).get("devices", 1)


def resumed(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Choose what to run: the configuration as composed, or that of the run in `resume` with what was typed (KEY=VALUE) on top.

    Raise FileNotFoundError when `resume` is not a run folder, ValueError when an override names a key that the run does not have or
    that cannot act on a run that has begun.
    """
    folder = cfg.resume
    if folder is not None and not folder.strip():
        raise ValueError("resume is empty: resume=RUN_FOLDER, or resume=auto")
    if folder is None or f"resume={AUTO}" in overrides:  # a run that was found by its configuration has this one
        return cfg
    with _naming(RunFolder(Path(folder)).config):
        recorded = OmegaConf.merge(OmegaConf.structured(TrainConfig), _recorded(Path(folder), overrides, key="resume"))
    assert isinstance(recorded, DictConfig)
    return changed(recorded, cfg, overrides, folder=Path(folder))


def is_unfinished(root: Path, cfg: DictConfig) -> bool:
    """Return whether a folder holds a run of this composed configuration that has not come to its end, and nobody works on it."""
    folder = RunFolder(root)
    try:
        if not folder.result.is_file() or folder.read_result().get("status") == "completed":
            return False
        require_idle(folder)
        mine = followed(OmegaConf.create({key: cfg._get_node(key) for key in OmegaConf.structured(TrainConfig)}))  # without Hydra's
        return same_run(typed(_recorded(root), TrainConfig), typed(mine, TrainConfig))
    except (ValueError, FileNotFoundError, ConfigKeyError):
        return False


def _is_sweep(root: Path) -> bool:
    """Return whether a folder holds runs; raise FileNotFoundError when it is neither that nor a run."""
    if RunFolder(root).config.is_file():
        return False
    if not any(root.glob("*/config.yaml")):
        raise FileNotFoundError(f"{root} is neither a run folder (config.yaml) nor a sweep (numbered run folders)")
    return True


def _as_distributed(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Ask for the data with its duplicates, whatever `data.split` says: `audit` looks for them."""
    if OmegaConf.select(cfg, "data.split") is not None:
        OmegaConf.update(cfg, "data.split", "lab")
    return cfg


_PREPARE: dict[str, Callable[[DictConfig, Sequence[str]], DictConfig]] = {"train": resumed, "audit": _as_distributed}


def _recorded(root: Path, overrides: Sequence[str] = (), *, key: str = "run") -> DictConfig:
    path = RunFolder(root).config
    if not path.is_file():
        raise FileNotFoundError(f"{root} is not a run folder of maskgit_lab: it has no {path.name} ({key}=RUN_FOLDER)")
    config = read_recorded(path)
    check_recorded(config, path, typed=overrides)
    return config


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in errors about what a run recorded."""
    try:
        yield
    except ConfigKeyError as error:
        key = str(error.full_key or error.key)
        raise ValueError(f"{path}: {key} is no key of a run; was it written by another version?") from error
    except OmegaConfBaseException as error:
        key = f"{error.full_key}: " if error.full_key else ""
        raise ValueError(f"{path} is damaged: {key}{str(error.msg or error).partition(chr(10))[0]}") from error
