"""What a sweep (Hydra's multirun) is to the jobs in it."""

import logging
import math
from itertools import islice
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from maskgit_lab.runs.recorded import read_values

log = logging.getLogger("maskgit_lab")

MAX_VALUES = 100_000  # of one override, counted no further: a file that is not ours may name any number
started: list[Path] = []  # folder of the sweep that this process has started


class SweepCallback(Callback):
    """Remember the sweep's folder, so that its table can be made whatever becomes of the jobs."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note the folder; Hydra calls no hook at the end of a sweep with a failed job."""
        started.append(Path(config.hydra.sweep.dir))

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Say which job begins and what is its own."""
        if config.hydra.mode != RunMode.MULTIRUN:
            return
        folder = Path(config.hydra.sweep.dir)
        swept, count = swept_values(folder), num_jobs(folder)
        own = [text for text in config.hydra.overrides.task if swept.get(text.partition("=")[0], 2) > 1]
        total = f" of {count}" if count else ""
        log.info(f"\nJob {config.hydra.job.num + 1}{total}: {' '.join(own)}")


def sweep_folder() -> Path | None:
    """Return the folder of the sweep that the current job belongs to, None for a single run."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return Path(HydraConfig.get().sweep.dir)


def swept_values(folder: Path) -> dict[str, int]:
    """Return how many values each override of a sweep has, by key; {} when another sweeper than Hydra's own decides as it goes."""
    hydra = _hydra_of(folder)
    sweeper, typed = hydra.get("sweeper", {}), hydra.get("overrides", {}).get("task", [])
    if not isinstance(sweeper, dict) or not str(sweeper.get("_target_")).endswith("BasicSweeper"):
        return {}
    from hydra.core.override_parser.overrides_parser import OverridesParser

    # what is typed comes later and wins
    texts = [*(f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()), *map(str, typed)]
    overrides = OverridesParser.create().parse_overrides(texts)
    return {o.get_key_element(): _count(o) if o.is_sweep_override() else 1 for o in overrides}


def _count(override: Override) -> int:
    return sum(1 for _ in islice(override.sweep_string_iterator(), MAX_VALUES))


def num_jobs(folder: Path) -> int | None:
    """Return how many jobs a sweep has, None when that is not known beforehand."""
    counts = swept_values(folder).values()
    return math.prod(counts) if counts else None


def _hydra_of(folder: Path) -> dict[str, Any]:
    """Return what Hydra notes of itself before a sweep's first job, as plain values: nothing in it is resolved."""
    path = folder / "multirun.yaml"
    content: Any = OmegaConf.to_container(read_values(path), resolve=False) if path.is_file() else {}
    return content["hydra"] if isinstance(content.get("hydra"), dict) else {}
