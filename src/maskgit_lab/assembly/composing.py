"""One composition for a command: Hydra would make three of the same, a quarter of a second each.

The look ahead makes the first, `hydra.main` a second to learn whether the command is a sweep, and a third to run. Hydra has no way
to be given one, so two of its methods are replaced while the command runs (tests/assembly/test_composing.py compares the results).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import hydra
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from maskgit_lab.assembly.config import config_dir

LOOKING = "looking ahead"  # Hydra's name of the job that only composes
CHOSEN = ["hydra.mode=RUN"]  # what Hydra adds to what was typed where no mode is


@dataclass(frozen=True)
class Composed:
    """What Hydra makes of conf/NAME.yaml and what was typed, with its own node `hydra`."""

    name: str
    overrides: list[str]
    cfg: DictConfig

    @classmethod
    def of(cls, name: str, overrides: list[str]) -> "Composed":
        """Let Hydra compose."""
        with hydra.initialize_config_dir(version_base="1.3", config_dir=config_dir(), job_name=LOOKING):
            return cls(name, list(overrides), hydra.compose(name, overrides=overrides, return_hydra_config=True))

    def for_the_task(self) -> DictConfig:
        """Return a copy without Hydra's own node, as commands get it."""
        own = deepcopy(self.cfg)
        with open_dict(own):
            del own["hydra"]
        return own

    def for_a_run(self, added: list[str]) -> DictConfig:
        """Return a copy as it is where `added` was typed too: nothing, or CHOSEN."""
        from hydra.core.utils import JobRuntime

        own = deepcopy(self.cfg)
        if added:
            own.hydra.mode = RunMode.RUN
            own.hydra.overrides.hydra.extend(added)
        if own.hydra.job.name == LOOKING:
            own.hydra.job.name = JobRuntime.instance().get("name")
        return own


@contextmanager
def taking(made: Composed | None) -> Iterator[None]:
    """Let Hydra take what is made where it would compose the same again; None = it composes."""
    if made is None:
        yield
        return
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.hydra import Hydra

    mode, compose, length = Hydra.get_mode, ConfigLoaderImpl.load_configuration, len(made.overrides)

    def taken(self: Any, config_name: str, overrides: list[str], run_mode: RunMode, **flags: bool) -> DictConfig:
        same = (config_name, overrides[:length], run_mode) == (made.name, made.overrides, RunMode.RUN)
        if same and overrides[length:] in ([], CHOSEN):
            return made.for_a_run(overrides[length:])
        return compose(self, config_name, overrides, run_mode, **flags)

    Hydra.get_mode = lambda *_, **__: made.cfg.hydra.mode  # type: ignore[method-assign]
    ConfigLoaderImpl.load_configuration = taken  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Hydra.get_mode, ConfigLoaderImpl.load_configuration = mode, compose  # type: ignore[method-assign]
