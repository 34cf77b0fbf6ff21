"""How a command meets the shell: Hydra runs it, `--help` is answered at once, and a sweep ends with its table."""

import functools
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from maskgit_lab.config import config_dir, register
from maskgit_lab.cores import let_waiting_threads_sleep, share_cores
from maskgit_lab.freed_memory import keep_freed_memory
from maskgit_lab.ranks import process_rank, processes_to_start
from maskgit_lab.sweep import collected_at_the_end

log = logging.getLogger("maskgit_lab")

Task = Callable[[DictConfig], Any]


def hydra_command(config_name: str) -> Callable[[Task], Callable[[], None]]:
    """Return a decorator that makes a command of a function of the configuration.

    Args:
        config_name: file in conf/ without its ending.
    """

    def decorate(task: Task) -> Callable[[], None]:
        run = hydra.main(version_base="1.3", config_path=config_dir(), config_name=config_name)(_on_its_cores(task))

        @functools.wraps(task)
        def main() -> None:
            register()
            arguments = sys.argv[1:]
            if {"--help", "-h"} & set(arguments):
                print(help_text(config_name, [a for a in arguments if not a.startswith("-")]))
                return
            keep_freed_memory()
            let_waiting_threads_sleep()
            with collected_at_the_end():
                run()

        return main

    return decorate


def _on_its_cores(task: Task) -> Task:
    """Return the task with its number of threads settled first. Hydra's launchers call it in the process where the job runs."""

    @functools.wraps(task)
    def settled(cfg: DictConfig) -> Any:
        sentence = share_cores(processes_to_start(cfg.get("trainer", {}).get("devices", 1)))
        if process_rank() == 0:
            log.info(sentence)
        return task(cfg)

    return settled


def help_text(config_name: str, overrides: list[str]) -> str:
    """Return what `--help` prints: the command's template with its groups and its configuration.

    Hydra's own `--help` says the same after several seconds: it copies the whole configuration store for every group.
    """
    register()
    with hydra.initialize_config_dir(version_base="1.3", config_dir=config_dir()):
        cfg = hydra.compose(config_name, overrides=overrides, return_hydra_config=True)
    template = str(OmegaConf.to_container(cfg.hydra.help, resolve=False)["template"])  # type: ignore[index, call-overload]
    shown = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    return Template(template).substitute(APP_CONFIG_GROUPS=_groups(), CONFIG=OmegaConf.to_yaml(shown))


def _groups() -> str:
    folders = sorted(path for path in Path(config_dir()).iterdir() if path.is_dir() and path.name != "hydra")
    lines = [f"{path.name}: {', '.join(sorted(p.stem for p in path.glob('*.yaml')))}" for path in folders]
    return "\n".join(lines) + "\n"
