"""What a configuration that is read from a folder may ask for: a run folder may come from anybody, so its config.yaml is data.

At each place that is built (`assembly.config.build`) it may name what this package's own option files name there, and the Lightning
callbacks below; nothing anywhere else. What is typed on the command line is the user's own and may name anything.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from maskgit_lab.assembly.config import config_dir

# places that are built -> the group whose option files say by what
PLACES = {
    r"data\.source": "data",
    r"tokenizer\.model|tokenizer\.training\.(perceptual|discriminator)": "tokenizer",
    r"decoder\.(model|training\.(perceptual|discriminator))": "decoder",
    r"model\.(transformer|context)": "model",
    r"(training\.)?mask_schedule": "mask_schedule",
    r"decode\.policy": "decode/policy",
    r"optimizer": "optimizer",
    r"trainer": "trainer",
    r"callbacks\.\w+": "callbacks",
    r"logger\.\w+": "logger",
    r"metrics\.extractor": "metrics",
}
# these run nothing that they are given and write nothing, but for ModelCheckpoint, whose paths are looked at
LIGHTNING_CALLBACKS = (
    "DeviceStatsMonitor", "EarlyStopping", "EMAWeightAveraging", "GradientAccumulationScheduler", "LearningRateMonitor",
    "ModelCheckpoint", "ModelSummary", "RichModelSummary", "RichProgressBar", "StochasticWeightAveraging", "Timer",
    "TQDMProgressBar",
)  # fmt: skip
DOTTED = re.compile(r"[\w.]+(\[\d+\])?[\w.]*")
SPECIAL = re.compile(r"_\w+_")  # keys by which Hydra does more than pass a value on
WRITTEN_TO = re.compile(r"(\w*_)?(dir|dirpath|path|file|filename|folder)|model_registry")
TRUST = "MASKGIT_LAB_TRUST"  # environment variable: further names, separated by commas


def check_recorded(config: DictConfig, file: Path, *, typed: Sequence[str] = ()) -> None:
    """Look at a configuration that was read from `file`, before anything is made of it.

    Args:
        config: as it was read.
        file: named in the message; what the configuration may write to lies in its folder.
        typed: overrides KEY=VALUE of the command line; a target among them is the user's own.

    Raises:
        ValueError: when it names a target that is not allowed at its place, has other keys that Hydra obeys, or a path that leads
            out of the folder. The message names file, key and value.
    """
    own = {text.lstrip("+~").partition("=")[0] for text in typed}
    for place, key, value in _entries(OmegaConf.to_container(config, resolve=False)):
        name = f"{place}.{key}" if place else key
        shown = name if name.isprintable() else repr(name)
        if key == "_target_":
            if not (own & {name, *_ancestors(name)} or (isinstance(value, str) and value in _allowed(place))):
                told = f"{file}: {shown} is {value!r}, which a configuration that is read from a folder may not name there"
                if DOTTED.fullmatch(f"{name}.{value}"):  # what people may type after this is no more than a name
                    told += f". If the run is your own, set {TRUST}={value}; on resume you may also type {name}={value}"
                raise ValueError(told)
        elif SPECIAL.fullmatch(key) and not (name == "metrics.extractor._partial_" and isinstance(value, bool)):
            raise ValueError(f"{file}: {shown}, which a configuration that is read from a folder may not have")
        elif _is_written_to(place, key) and name not in own and not _stays(value, file.parent, name=key == "filename"):
            raise ValueError(f"{file}: {shown} is {value!r}, which leads out of the run folder; on resume you may type it again")


def _entries(node: Any, place: str = "") -> Iterator[tuple[str, str, Any]]:
    """Yield (dotted place, key, value) of every dictionary in nested dictionaries and lists."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield place, str(key), value
            yield from _entries(value, f"{place}.{key}" if place else str(key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from _entries(value, f"{place}[{i}]")


def _ancestors(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts)))


def _allowed(place: str) -> set[str]:
    trusted = {name.strip() for name in os.environ.get(TRUST, "").split(",") if name.strip()}
    group = next((group for pattern, group in PLACES.items() if re.fullmatch(pattern, place)), None)
    if group is None:
        return trusted
    options = (Path(config_dir()) / group).glob("*.yaml")
    named = {name for path in options for name in re.findall(r"_target_: ([\w.]+)", path.read_text(encoding="utf-8"))}
    more = {f"lightning.pytorch.callbacks.{name}" for name in LIGHTNING_CALLBACKS} if group == "callbacks" else set()
    return named | more | trusted


def _is_written_to(place: str, key: str) -> bool:
    return place.partition(".")[0] in ("callbacks", "trainer", "logger") and WRITTEN_TO.fullmatch(key) is not None


def _stays(value: Any, folder: Path, *, name: bool) -> bool:
    """Return whether a path is in the run folder; `name`: it is the name of a file in a folder that is given."""
    if value is None:
        return True
    if name:
        return isinstance(value, str) and not (value.startswith(("/", "~")) or ".." in value or "\\" in value)
    return isinstance(value, str) and "://" not in value and Path(value).expanduser().resolve().is_relative_to(folder.resolve())
