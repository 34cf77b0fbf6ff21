"""Where a run goes, decided before Hydra makes a folder or writes into one.

A new run gets a folder of its own; one that someone named must hold no run; `resume` gets the run's folder, in which nothing is
touched until every value was checked. The first of several processes decides, the others are told.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

from maskgit_lab.assembly.read import is_unfinished
from maskgit_lab.assembly.resume import AUTO
from maskgit_lab.commands.made_folders import made
from maskgit_lab.commands.messages import is_the_users, one_line
from maskgit_lab.commands.shell import exit_with_line
from maskgit_lab.machine.ranks import named_by_job, process_rank, started_by_srun, tell_others, told_by_first
from maskgit_lab.runs.claim import hold, make_new, require_idle, take
from maskgit_lab.runs.folder import RunFolder, shown_path
from maskgit_lab.runs.provenance import process

HELD_LOG = "maskgit_lab.machine.held_log.HeldLog"


@dataclass(frozen=True)
class Place:
    """Where a run goes."""

    folder: str
    resume: str | None = None  # the run to go on with
    said: str = ""  # a line for the terminal


class RunPlace(Callback):
    """Decide the folder of a run or a sweep; a mistake ends the command with one line."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Put the folder into Hydra's configuration, which then makes it."""
        with as_one_line():
            if process_rank() == 0:
                place = place_of_run(config)
                tell_others(json.dumps(asdict(place)))
                if place.said:
                    print(place.said, flush=True)
            else:
                told = told_by_first()
                place = Place(**json.loads(told)) if told else Place(str(named_by_job(Path(config.hydra.run.dir))), config.resume)
        with read_write(config), open_dict(config):
            config.resume = place.resume
            config.hydra.run.dir = place.folder
            if place.resume:
                config.hydra.output_subdir = None  # Hydra's notes are those of the command that began the run
                config.hydra.job_logging.handlers.file["class"] = HELD_LOG

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Give a sweep a folder of its own; its jobs are told by an override."""
        with as_one_line():
            folder = place_of_sweep(config)
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = str(folder)
            quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")


def place_of_run(config: DictConfig) -> Place:
    """Decide where a run goes and make the folder.

    Raise ValueError when the folder that was named holds a run, or someone works on it; FileNotFoundError when there is no run to
    resume.
    """
    given = _is_given(config, "hydra.run.dir")
    resume, said = config.get("resume"), ""
    if resume and config.hydra.job.config_name != "train":
        raise ValueError(f"resume is for train; {config.hydra.job.config_name} finds what it has begun by itself")
    if resume == AUTO:
        resume = _latest_unfinished(config, Path(config.hydra.run.dir), given=given)
        where = Path(config.hydra.run.dir) if given else Path(config.hydra.run.dir).parent
        found = f"going on with {shown_path(Path(resume))}" if resume else f"no unfinished run of this configuration in {where}"
        said = f"resume=auto: {found}" + ("" if resume else ", so a new one begins")
    if resume:
        return Place(str(_run_to_resume(config, given=given, resume=resume)), str(Path(resume).expanduser().resolve()), said)
    if config.hydra.job.config_name != "train":
        return _place_without_result(config, given=given)
    folder = Path(config.hydra.run.dir)
    if given or started_by_srun():
        folder = folder if given else named_by_job(folder)
        new = not folder.exists()
        again = take(RunFolder(folder))
        said = said or (f"{shown_path(folder)}: an unfinished start, begun again" if again else "")
    else:
        new, folder = True, make_new(folder)
        take(RunFolder(folder))
    if new:
        made.append(folder.resolve())
    return Place(str(folder), None, said)


def place_of_sweep(config: DictConfig) -> Path:
    """Decide where a sweep goes and make the folder; ValueError when a job of it would go into a run."""
    if any(text.startswith("resume=") and text != "resume=null" for text in config.hydra.overrides.task) or config.get("resume"):
        raise ValueError("resume does not go with a sweep (-m): go on with one run at a time")
    folder = Path(config.hydra.sweep.dir)
    if not _is_given(config, "hydra.sweep.dir"):
        folder = make_new(folder)
        made.append(folder.resolve())
    elif any(folder.glob("*/result.json")):
        raise ValueError(f"hydra.sweep.dir: {shown_path(folder)} holds the runs of a sweep; a new sweep needs another folder")
    return folder


@contextmanager
def as_one_line() -> Iterator[None]:
    """End the command with one line on a mistake: Hydra turns what its callbacks raise into warnings, and goes on."""
    try:
        yield
    except OSError as error:
        told = error if error.errno is None else f"the run folder cannot be made: {error} (paths.runs, hydra.run.dir)"
        exit_with_line(str(told))
    except Exception as error:
        if not is_the_users(error):
            raise
        exit_with_line(one_line(error))


def _is_given(config: DictConfig, key: str) -> bool:
    return any(text.lstrip("+").startswith(f"{key}=") for text in config.hydra.overrides.hydra)


def _place_without_result(config: DictConfig, *, given: bool) -> Place:
    folder = Path(config.hydra.run.dir)
    if given and RunFolder(folder).result.is_file():
        raise ValueError(f"hydra.run.dir: {shown_path(folder)} holds a run; name another folder")
    if not given:
        folder = make_new(folder)
        made.append(folder.resolve())
    return Place(str(folder))


def _run_to_resume(config: DictConfig, *, given: bool, resume: str) -> Path:
    folder = RunFolder(Path(resume).expanduser().resolve())
    if not folder.config.is_file():
        raise FileNotFoundError(f"{resume} is not a run folder of maskgit_lab: it has no {folder.config.name} (resume=RUN_FOLDER)")
    if given and Path(config.hydra.run.dir).resolve() != folder.root:
        raise ValueError(f"hydra.run.dir={config.hydra.run.dir} and resume={resume} name two folders: a run goes on where it is")
    if not config.force:
        require_idle(folder)
    hold(folder)
    return folder.root


def _latest_unfinished(config: DictConfig, fresh: Path, *, given: bool) -> str | None:
    """Return the run folder that resume=auto goes on with: the one that was named, or the one last worked on beside `fresh`."""
    if started_by_srun():
        raise ValueError("resume=auto: tasks of srun have no way to agree on a run; name it, resume=RUN_FOLDER")
    folders = [fresh] if given else [path.parent for path in fresh.parent.glob("*/result.json")]
    folders = [folder for folder in folders if is_unfinished(folder, config) and not _is_elsewhere(folder)]
    latest = max(folders, key=lambda folder: RunFolder(folder).result.stat().st_mtime_ns, default=None)
    return None if latest is None else str(latest)


def _is_elsewhere(folder: Path) -> bool:
    """Return whether another machine is said to work on a run, and say so: it may have gone down."""
    result = RunFolder(folder).read_result()
    host, shown = result.get("process", {}).get("host"), shown_path(folder)
    elsewhere = bool(result["status"] == "running" and host != process()["host"])
    if elsewhere:
        print(f"{shown} is left alone: it runs on {host}. If it does not any more: resume={shown}", flush=True)
    return elsewhere
