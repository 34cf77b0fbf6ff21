"""What the commands share: readable errors, the run folder Hydra made, and the configuration of a resumed run."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

log = logging.getLogger("maskgit_lab")
logging.getLogger("matplotlib").setLevel(logging.WARNING)  # tells of its font cache on first use

EXIT_INTERRUPTED = 130  # as shells report Ctrl-C


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Show a user's error as one message; the traceback goes to the log file alone. An interrupted command exits with 130.

    In a sweep the error is passed on, so that Hydra records the job as failed.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        sys.exit(EXIT_INTERRUPTED)
    except (ValueError, FileNotFoundError, OmegaConfBaseException) as error:
        _write_to_log_file(traceback.format_exc())
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        print(f"\nerror: {error}", file=sys.stderr)
        sys.exit(1)


def _write_to_log_file(text: str) -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and handler.stream:
            handler.stream.write(text)
            handler.flush()


def require_one_device_in_sweeps(cfg: DictConfig) -> None:
    """End a sweep before its first job when a job asks for more than one device.

    The processes that Lightning would start for the other devices would each begin a sweep of their own.
    """
    from maskgit_lab.training.devices import asks_for_one_device

    devices, num_nodes = cfg.trainer.get("devices", 1), cfg.trainer.get("num_nodes", 1)
    if HydraConfig.get().mode == RunMode.MULTIRUN and not asks_for_one_device(devices, num_nodes):
        print(
            f"\nerror: trainer.devices={devices}: each job of a sweep (-m) runs on one device. Use trainer.devices=1 and run jobs "
            "side by side (hydra/launcher=joblib or submitit_slurm), or start the runs one by one without -m",
            file=sys.stderr,
        )
        sys.exit(1)


def run_dir() -> Path:
    """Return the folder that Hydra made for this job."""
    return Path(HydraConfig.get().runtime.output_dir)


def resumed_config(cfg: DictConfig) -> DictConfig:
    """Return the configuration to run: as composed, or that of the run in `resume` with this call's values on top.

    Raises:
        FileNotFoundError: when `resume` is not a run folder.
        ValueError: when an override names a key that the run's configuration does not have.
    """
    if cfg.resume is None:
        return cfg
    from maskgit_lab.load_run import load_config

    recorded = load_config(Path(cfg.resume))
    for override in HydraConfig.get().overrides.task:
        key, _, value = override.lstrip("+").partition("=")
        if key == "resume":
            continue
        if OmegaConf.select(recorded, key, default=OmegaConf) is OmegaConf:
            raise ValueError(f"{key} cannot be changed on resume: the run in {cfg.resume} has no such key")
        parsed = OmegaConf.create(f"value: {value}").value
        if OmegaConf.is_config(OmegaConf.select(recorded, key)) and not OmegaConf.is_config(parsed):
            raise ValueError(f"{key} is a group: on resume single values can be changed, e.g. trainer.max_epochs=20")
        OmegaConf.update(recorded, key, parsed)
    with open_dict(recorded):
        recorded.resume = str(Path(cfg.resume).resolve())
    return recorded
