"""Where the YAML files are, and the one function that makes objects from what they say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig


def config_dir() -> str:
    """Return the absolute path of the YAML files: inside the package in a wheel, at the repository's top in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parents[1] / "conf"):
        if (folder / "train.yaml").is_file():
            return str(folder)
    raise FileNotFoundError(f"no conf/train.yaml in {package} or in {package.parents[1]}: reinstall maskgit_lab")


def options_of(group: str, folder: str | None = None) -> list[str]:
    """Return the options of a group, those in a further folder, too; files whose names begin with _ are parts of others."""
    places = [Path(config_dir()), *([Path(folder)] if folder else [])]
    return sorted({path.stem for place in places for path in (place / group).glob("[!_]*.yaml")})


def option_file(group: str, name: str, folder: str | None = None) -> Path | None:
    """Return the file of an option; where two have one name the package's, as for Hydra; None where there is none."""
    places = [Path(config_dir()), *([Path(folder)] if folder else [])]
    return next((path for place in places if (path := place / group / f"{name}.yaml").is_file()), None)


def search_path(folder: str | None) -> list[str]:
    """Return the overrides that make Hydra look for options in a folder, too, as its flag --config-dir does; None = none.

    Raise FileNotFoundError when there is no such folder.
    """
    if folder is None:
        return []
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"--config-dir {folder}: there is no such folder")
    quoted = str(Path(folder).absolute()).replace("\\", "\\\\").replace("'", "\\'")
    return [f"hydra.searchpath=['file://{quoted}']"]


def build(node: Any, **objects: Any) -> Any:
    """Build the object that a node's `_target_` names; plain Python values and `objects`, made already, go in.

    Raise ValueError when the node has no `_target_` or a key that the target does not take; the message names both.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    if not isinstance(node, Mapping | DictConfig):
        raise ValueError(f"expected a group with a _target_, which names what to build, got {node!r}")
    try:
        if not objects:
            return instantiate(node, _convert_="all")
        # objects do not go through Hydra, which would take dataclasses apart
        return instantiate(node, _convert_="all", _partial_=True)(**objects)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, ValueError | FileNotFoundError):
            raise cause from None  # the constructor's own message already names key and remedy
        raise ValueError(_cannot_build(node, cause or error)) from error
    except (ValueError, OSError):
        raise
    except Exception as error:  # a value that the constructor cannot compute with; Hydra wraps those of what it builds itself
        raise ValueError(_cannot_build(node, error)) from error


def _cannot_build(node: Any, error: BaseException) -> str:
    return f"cannot build {node.get('_target_')}: {' '.join(str(error).split()) or type(error).__name__}"
