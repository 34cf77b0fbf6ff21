"""What all commands share in the shell: Hydra, a fast `--help`, errors as one message, a table at the end of a sweep.

Nothing here imports torch; what a command does is imported when it runs.
"""

import importlib
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from maskgit_lab.assembly.config import config_dir
from maskgit_lab.assembly.help import help_text
from maskgit_lab.assembly.read import num_devices, read
from maskgit_lab.assembly.schemas import register
from maskgit_lab.commands.collect import collected_at_the_end
from maskgit_lab.machine.cores import let_waiting_threads_sleep, share_cores
from maskgit_lab.machine.freed_memory import keep_freed_memory
from maskgit_lab.machine.ranks import process_rank, processes_to_start
from maskgit_lab.machine.whole_file import why_not_written

log = logging.getLogger("maskgit_lab")
logging.getLogger("matplotlib").setLevel(logging.WARNING)  # logs its font cache on first use

EXIT_INTERRUPTED = 130  # as shells report Ctrl-C


class SweepRefusedError(Exception):
    """Ends a sweep before its first job, with only the message."""


def hydra_command(name: str, head: str | None) -> Callable[[], None]:
    """Make the command that runs the function `name` of `commands/NAME.py` with the configuration of conf/NAME.yaml.

    `head`, the docstring of the command's module, is what `--help` begins with.
    """

    def main() -> None:
        register()
        arguments = sys.argv[1:]
        if {"--help", "-h"} & set(arguments):
            print(help_text(name, head or "", [a for a in arguments if not a.startswith("-")]))
            return
        keep_freed_memory()
        let_waiting_threads_sleep()
        with collected_at_the_end():
            hydra.main(version_base="1.3", config_path=config_dir(), config_name=name)(_task(name))()

    return main


def _task(name: str) -> Callable[[DictConfig], Any]:
    """Return what Hydra runs, in the process of the job: it sets threads first, then imports the command."""

    def task(cfg: DictConfig) -> Any:
        sentence = share_cores(processes_to_start(num_devices(cfg)))
        if process_rank() == 0:
            log.info(sentence)
        with reporting_errors():
            told = read(name, cfg, HydraConfig.get().overrides.task)
            return getattr(importlib.import_module(f"maskgit_lab.commands.{name}"), name)(told)

    return task


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Show a user's error as one message; the traceback goes to the log file only. An interrupted command exits with 130.

    In a sweep the error is passed on, so that Hydra records the job as failed.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        sys.exit(EXIT_INTERRUPTED)
    except SweepRefusedError as error:
        _exit_with(error)
    except (ValueError, OSError, OmegaConfBaseException) as error:
        told = why_not_written(error) if isinstance(error, OSError) else str(error)
        if told is None and not isinstance(error, FileNotFoundError):
            raise
        _write_to_log_file(traceback.format_exc())
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        _exit_with(told or error)


def _exit_with(error: Exception | str) -> None:
    print(f"\nerror: {error}", file=sys.stderr)
    sys.exit(1)


def _write_to_log_file(text: str) -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and handler.stream:
            handler.stream.write(text)
            handler.flush()


def run_dir() -> Path:
    """Return the folder that Hydra made for this job."""
    return Path(HydraConfig.get().runtime.output_dir)
