"""What `resume=RUN` runs: the recorded configuration with what was typed on top, as far as it acts on a run that has begun."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.runs.recorded import read_values

AUTO = "auto"  # value of `resume`: go on with the latest unfinished run of this name and configuration, else begin one

# what acts on a run that goes on, and leaves what its weights were made with
MAY_CHANGE = (
    "name", "tags", "notes", "speed", "paths", "logger", "metrics", "trainer", "callbacks", "decode", "mask_schedule",
    "training.compile", "data.root", "data.test_root", "data.masks", "data.mask_hole", "data.mask_suffix", "data.max_hole_share",
    "data.train_masks", "data.train_mask_hole", "data.skip_bad", "data.max_pixels", "data.batch_size", "data.val_batch_size",
    "data.num_val_fills", "data.cache", "data.source.root", "data.source.test_root", "data.source.masks", "data.source.mask_hole",
    "data.source.mask_suffix", "data.source.max_hole_share", "data.source.skip_bad", "data.source.max_pixels",
)  # fmt: skip
# of these groups: the best epoch so far is remembered, the averaged weights are in the checkpoint, a dry run keeps nothing
BUT_NOT = ("callbacks.best", "callbacks.ema", "trainer.fast_dev_run")
REASONS = {
    "optimizer": "the optimiser goes on with its recorded state and schedule",
    "tokenizer": "the run keeps the tokenizer in its tokenizer.pt",
    "model": "the weights have the recorded shape",
    "callbacks": "the checkpoints go on from it",
    "reuse": "a run that goes on shares nothing",
    "trainer": "a dry run keeps nothing",
}
# keys that the options in conf/ take from others; a run folder's .hydra/config.yaml names those that were typed
INTERPOLATED = {
    "data.source.root": "${data.root}",
    "data.source.test_root": "${data.test_root}",
    "data.source.masks": "${data.masks}",
    "data.source.mask_hole": "${data.mask_hole}",
    "data.source.mask_suffix": "${data.mask_suffix}",
    "data.source.max_hole_share": "${data.max_hole_share}",
    "data.source.max_pixels": "${data.max_pixels}",
    "data.source.skip_bad": "${data.skip_bad}",
    "logger.wandb.name": "${name}",
    "logger.wandb.tags": "${tags}",
    "logger.wandb.notes": "${notes}",
    "logger.wandb.offline": "${logger.offline}",
}


def forced(arguments: Sequence[str]) -> list[str]:
    """Return a command line that Hydra lets through when it resumes: the keys are those of the run, not of the default options."""
    if not any(text.startswith("resume=") and text not in ("resume=null", f"resume={AUTO}") for text in arguments):
        return list(arguments)
    return [f"++{text}" if _sets_a_value_in_a_group(text) else text for text in arguments]


def _sets_a_value_in_a_group(text: str) -> bool:
    key, is_override, _ = text.partition("=")
    return bool(is_override) and key.replace(".", "").isidentifier() and "." in key and not key.startswith("hydra.")


def changed(recorded: DictConfig, composed: DictConfig, overrides: Sequence[str], *, folder: Path) -> DictConfig:
    """Return the recorded configuration with KEY=VALUE as typed on top.

    Args:
        recorded: of the run; it stays as it is.
        composed: what Hydra made of the command line, for the paths of this machine.
        overrides: as typed.
        folder: of the run.

    Returns:
        The configuration to go on with, without interpolations.

    Raises:
        ValueError: when a key is not the run's, or cannot change what has begun.
    """
    config = _with_interpolations(recorded, folder)
    config.paths = composed.paths  # this machine's; a folder does not say where to write
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.key_or_group
        if key in ("resume", "force", "checkpoint"):
            continue
        _require_acting(recorded, override, folder)
        OmegaConf.update(config, key, override.value(), merge=False, force_add=True)
    config.resume, config.force, config.checkpoint = str(folder.resolve()), composed.force, composed.checkpoint
    OmegaConf.resolve(config)
    return config


def same_run(recorded: TrainConfig, composed: TrainConfig) -> bool:
    """Return whether two configurations make the same run: all but places is equal."""
    contents = []
    for config in (recorded, composed):
        content = asdict(config)
        contents.append({key: value for key, value in content.items() if key not in ("paths", "resume", "force", "checkpoint")})
    return bool(contents[0] == contents[1])


def _require_acting(recorded: DictConfig, override: Override, folder: Path) -> None:
    key, root = override.key_or_group, override.key_or_group.partition(".")[0]
    if override.is_delete() or override.is_sweep_override():
        raise ValueError(f"{override.input_line}: on resume a key gets one value, KEY=VALUE; null switches a callback off")
    before, value = OmegaConf.select(recorded, key, default=OmegaConf), override.value()
    if before is OmegaConf and not _is_checked_where_it_goes(recorded, key):
        raise ValueError(f"{key} cannot be changed on resume: the run in {folder} has no such key")
    if OmegaConf.is_config(before) and not OmegaConf.is_config(OmegaConf.create([value])[0]) and value is not None:
        raise ValueError(f"{key} is a group: on resume single values can be changed, e.g. trainer.max_epochs=20")
    plain = OmegaConf.to_container(before, resolve=True) if OmegaConf.is_config(before) else before
    if before is not OmegaConf and plain == value:
        return  # typed again, as it was
    if not _is_under(key, MAY_CHANGE) or _is_under(key, BUT_NOT):
        reason = REASONS.get(root, "the weights so far were made with the recorded value")
        shown = "unset" if before is OmegaConf else repr(plain)
        raise ValueError(f"{key} cannot be changed on resume: {reason} ({shown}). For another value train a new run")


def _is_checked_where_it_goes(recorded: DictConfig, key: str) -> bool:
    """Return whether the constructor that gets a new key refuses what it does not know."""
    parent = key.rpartition(".")[0]
    node = OmegaConf.select(recorded, parent) if parent else None
    return isinstance(node, DictConfig) and ("_target_" in node or parent == "decode") and _is_under(key, MAY_CHANGE)


def _is_under(key: str, names: Sequence[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _with_interpolations(recorded: DictConfig, folder: Path) -> DictConfig:
    """Return a copy in which what was taken from other keys is so again, where that gives what is recorded."""
    config = recorded.copy()
    OmegaConf.set_struct(config, False)
    for key, text in {**INTERPOLATED, **dict(_composed_with(folder))}.items():
        before = OmegaConf.select(recorded, key, default=OmegaConf)
        if before is OmegaConf or not _is_under(key, MAY_CHANGE):
            continue
        OmegaConf.update(config, key, text, merge=False)
        try:
            same = OmegaConf.select(config, key) == before
        except OmegaConfBaseException:
            same = False
        if not same:
            OmegaConf.update(config, key, before, merge=False)
    return config


def _composed_with(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the keys that Hydra's notes of a run take from other keys, and how; resolvers, which read the machine, are left out."""
    path = folder / ".hydra" / "config.yaml"
    if not path.is_file():
        return
    try:
        noted = read_values(path)
    except ValueError:  # notes that cannot be read tell nothing; the recorded values are enough
        return
    yield from _interpolations(noted, "")


def _interpolations(node: DictConfig | ListConfig, prefix: str) -> Iterator[tuple[str, str]]:
    if not isinstance(node, DictConfig) or node._is_none():
        return
    for key in map(str, node):
        child: Any = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_interpolation():
            yield from _interpolations(child, f"{prefix}{key}.")
        elif child is not None and child._is_interpolation() and ":" not in str(child._value()):
            yield f"{prefix}{key}", str(child._value())
