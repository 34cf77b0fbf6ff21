"""What all commands share in the shell: Hydra, a fast `--help`, errors as one message, a table at the end of a sweep.

Nothing here imports torch; what a command does is imported when it runs.
"""

import argparse
import importlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig

from maskgit_lab.assembly.check import check_inputs, check_place
from maskgit_lab.assembly.composing import Composed, taking
from maskgit_lab.assembly.config import config_dir, search_path
from maskgit_lab.assembly.help import help_text
from maskgit_lab.assembly.read import num_devices, read
from maskgit_lab.assembly.resume import forced
from maskgit_lab.assembly.schemas import register
from maskgit_lab.commands.arguments import as_typed, expand_home
from maskgit_lab.commands.collect import collected_at_the_end
from maskgit_lab.commands.made_folders import leaving_no_empty_folder
from maskgit_lab.commands.messages import is_the_users, one_line
from maskgit_lab.machine.cores import let_waiting_threads_sleep, share_cores
from maskgit_lab.machine.freed_memory import keep_freed_memory
from maskgit_lab.machine.ranks import process_rank, processes_to_start

log = logging.getLogger("maskgit_lab")
logging.getLogger("matplotlib").setLevel(logging.WARNING)  # logs its font cache on first use

# Hydra's flags that ask about it or take another configuration than ours
NOT_A_COMMAND = ("config_path", "config_name", "info", "hydra_help", "shell_completion", "experimental_rerun")
EXIT_INTERRUPTED = 130  # as shells report Ctrl-C


class SweepRefusedError(Exception):
    """Ends a sweep before its first job, with only the message."""


def hydra_command(name: str, head: str | None) -> Callable[[], None]:
    """Make the command that runs the function `name` of `commands/NAME.py` with the configuration of conf/NAME.yaml.

    `head`, the docstring of the command's module, is what `--help` begins with.
    """

    def main() -> None:
        register()
        say_what_can_be_said()
        expand_home()
        sys.argv[1:] = arguments = as_typed(sys.argv[1:])
        if {"--help", "-h"} & set(arguments):
            say_help(name, head, arguments)
            return
        sys.argv[1:] = arguments = forced(arguments)
        composed = look_ahead(name, arguments)
        keep_freed_memory()
        let_waiting_threads_sleep()
        with leaving_no_empty_folder(), collected_at_the_end(), taking(composed):
            hydra.main(version_base="1.3", config_path=config_dir(), config_name=name)(_task(name))()

    return main


def say_help(name: str, head: str | None, arguments: list[str]) -> None:
    """Print what `--help` says; a reader that has seen enough (`| head`) may leave."""
    told = flags_of(arguments)
    try:
        print(help_text(name, head or "", told.overrides, told.config_dir), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if not is_the_users(error):
            raise
        exit_with_line(one_line(error, command=name, arguments=told.overrides, folder=told.config_dir))


def flags_of(arguments: list[str]) -> argparse.Namespace:
    """Return what was typed as Hydra understands it; a flag that it does not know ends the command with one line."""
    parser = get_args_parser()
    # argparse takes KEY=VALUE in one place only
    late = "; flags such as --config-dir come before KEY=VALUE" if any(text.startswith("-") for text in arguments[1:]) else ""
    parser.error = lambda message: exit_with_line(f"{message}{late} (--help shows what can be typed)")  # type: ignore[method-assign]
    return parser.parse_args(arguments)


def look_ahead(name: str, arguments: list[str]) -> Composed | None:
    """End the command with one line about a mistake that its configuration itself shows: nothing is imported or written by then.

    Return what was composed, None where Hydra is to compose by itself. A sweep is not looked at: its jobs say themselves what is
    wrong with them, and the others run.
    """
    told = flags_of(arguments)
    if told.multirun or any(getattr(told, name, None) for name in NOT_A_COMMAND):
        return None
    try:
        overrides = told.overrides + search_path(told.config_dir)
        if _sweeps(name, overrides):
            return None
        composed = Composed.of(name, overrides)
        if not told.cfg:
            for text in told.overrides:
                if text.startswith("hydra.run.dir=") and "${" not in text:
                    check_place(*text.split("=", 1))
            typed = [text for text in told.overrides if not text.lstrip("+~").startswith("hydra")]
            config = read(name, composed.for_the_task(), typed, config_folder=told.config_dir)
            check_inputs(config)
        return None if told.config_dir else composed  # Hydra's own flag puts the folder elsewhere in its search path
    except Exception as error:
        if not is_the_users(error):
            raise
        exit_with_line(one_line(error, command=name, arguments=told.overrides, folder=told.config_dir))


def _sweeps(name: str, overrides: list[str]) -> bool:
    """Return whether several values were typed, and an overlay makes a sweep of them without -m."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    single = [text for text, override in zip(overrides, parsed, strict=True) if not override.is_sweep_override()]
    if len(single) == len(overrides):
        return False
    return bool(Composed.of(name, single).cfg.hydra.mode == RunMode.MULTIRUN)


def say_what_can_be_said() -> None:
    """Replace characters that the terminal's encoding does not have, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _task(name: str) -> Callable[[DictConfig], Any]:
    """Return what Hydra runs, in the process of the job: it sets threads first, then imports the command."""

    def task(cfg: DictConfig) -> Any:
        sentence = share_cores(processes_to_start(num_devices(cfg)))
        if process_rank() == 0:
            log.info(sentence)
        with reporting_errors():
            told = read(name, cfg, HydraConfig.get().overrides.task, config_folder=config_folder())
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
        exit_with_line(str(error))
    except Exception as error:
        if not is_the_users(error):
            raise
        _write_to_log_file(traceback.format_exc())
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        exit_with_line(one_line(error))


def exit_with_line(message: str) -> NoReturn:
    """End the command with a message and exit code 1."""
    print(f"\nerror: {message}", file=sys.stderr)
    sys.exit(1)


def _write_to_log_file(text: str) -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and handler.stream:
            handler.stream.write(text)
            handler.flush()


def config_folder() -> str | None:
    """Return the folder that --config-dir named, None where there is none."""
    sources = HydraConfig.get().runtime.config_sources
    return next((source.path for source in sources if source.provider == "command-line"), None)


def run_dir() -> Path:
    """Return the folder that Hydra made for this job."""
    return Path(HydraConfig.get().runtime.output_dir)
