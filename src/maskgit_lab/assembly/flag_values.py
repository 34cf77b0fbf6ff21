"""Values of Lightning's flags that can be judged without Lightning, and so before it is imported; the rest: `trainer_flags`."""

from typing import Any

from maskgit_lab.assembly.schemas import Group, TrainConfig
from maskgit_lab.core.ranges import require_number

COUNT: dict[str, Any] = {"least": 1, "most": 2**31 - 1, "whole": True}
NUMBERS: dict[str, dict[str, Any]] = {
    "accumulate_grad_batches": COUNT,
    "check_val_every_n_epoch": {**COUNT, "or_null": True},
    "gradient_clip_val": {"least": 0, "or_null": True},
    "log_every_n_steps": {**COUNT, "least": 0, "or_null": True},
    "max_epochs": {**COUNT, "least": -1, "or_null": True},
    "max_steps": {**COUNT, "least": -1},
    "min_epochs": {**COUNT, "least": 0, "or_null": True},
    "min_steps": {**COUNT, "least": 0, "or_null": True},
    "num_nodes": COUNT,
    "num_sanity_val_steps": {**COUNT, "least": -1, "or_null": True},
    "reload_dataloaders_every_n_epochs": {**COUNT, "least": 0},
}
# a number of batches, or a share of them
BATCHES = ("limit_train_batches", "limit_val_batches", "overfit_batches", "val_check_interval")


def check_flag_values(config: TrainConfig) -> None:
    """Raise ValueError naming the flag of `trainer` or `callbacks` with which a run could not end as it should."""
    flags = config.trainer
    for name, limits in NUMBERS.items():
        if name in flags:
            require_number(f"trainer.{name}", flags[name], **limits)
    for name in BATCHES:
        _require_batches(name, flags.get(name))
    _require_devices(flags.get("devices", 1))
    dry = flags.get("fast_dev_run")
    if dry is not None:
        require_number("trainer.fast_dev_run", int(dry) if isinstance(dry, bool) else dry, least=0, whole=True)
    _require_checkpoints(flags, config.callbacks)
    if not flags.get("fast_dev_run"):
        _require_an_end(flags)


def _require_batches(name: str, value: Any) -> None:
    if value is None or (name == "overfit_batches" and value == 0):
        return
    if isinstance(value, int):
        require_number(f"trainer.{name}", value, **COUNT)
    elif isinstance(value, float):
        require_number(f"trainer.{name}", value, above=0, most=1)
    else:
        raise ValueError(f"trainer.{name} must be a number of batches or a share of them, got {value!r}")


def _require_devices(devices: Any) -> None:
    if devices in ("auto", -1, "-1") or (isinstance(devices, list) and devices):
        return
    digits = isinstance(devices, str) and devices.replace(",", "").isdigit()
    require_number("trainer.devices", 1 if digits and devices != "0" else devices, **COUNT)


def _require_checkpoints(flags: Group, callbacks: Group) -> None:
    if flags.get("enable_checkpointing") is False:
        raise ValueError(
            "trainer.enable_checkpointing=false: the best weights are what is scored. trainer.fast_dev_run=true keeps none"
        )
    if flags.get("barebones"):
        raise ValueError(
            "trainer.barebones=true leaves out checkpoints and curves, which a run is made of: use trainer.profiler=simple"
        )
    best, last = callbacks.get("best"), callbacks.get("last")
    if best is None:
        raise ValueError("callbacks.best is needed: the best weights are what is scored and drawn")
    for name, node in (("best", best), ("last", last)):
        if node is not None and not isinstance(node, dict):
            raise ValueError(f"callbacks.{name} has no _target_, the class of the callback")
    if not best.get("monitor"):
        raise ValueError("callbacks.best.monitor is needed: what tells the best weights, e.g. val/loss")
    if best.get("mode", "min") not in ("min", "max"):
        raise ValueError(f"callbacks.best.mode must be min or max, got {best['mode']!r}")
    if best.get("save_top_k", 1) != 1 or best.get("save_top_k") is True:
        raise ValueError(f"callbacks.best.save_top_k must be 1: there is one best.ckpt, got {best['save_top_k']}")
    for name, node in (("best", best), ("last", last)):
        if node is not None and node.get("filename", name) != name:
            raise ValueError(
                f"callbacks.{name}.filename must be {name}, the name that other commands look for, got {node['filename']!r}"
            )


def _require_an_end(flags: Group) -> None:
    """Refuse training that makes no step, has no end, or ends without a validation."""
    epochs, steps, time = flags.get("max_epochs"), flags.get("max_steps", -1), flags.get("max_time")
    if epochs == 0 or steps == 0:
        raise ValueError(
            f"trainer.max_{'epochs' if epochs == 0 else 'steps'} must be at least 1: a run without training has no weights to score"
        )
    if epochs in (None, -1) and steps == -1 and time is None:
        raise ValueError(f"trainer.max_epochs={epochs} has no end: give it a number, or trainer.max_steps or trainer.max_time")
    if epochs in (None, -1) and steps == -1:
        raise ValueError(
            f"trainer.max_epochs={epochs}: the learning rate's decay needs a length; give the most epochs that may be reached"
        )
    every = flags.get("check_val_every_n_epoch", 1)
    if every is not None and epochs not in (None, -1) and every > epochs:
        raise ValueError(
            f"trainer.check_val_every_n_epoch ({every}) exceeds trainer.max_epochs ({epochs}): without a validation there "
            "are no best weights"
        )
    if time is not None and every != 1:
        raise ValueError("trainer.max_time needs trainer.check_val_every_n_epoch=1, or training may end without a validation")
    least = flags.get("min_steps")
    if steps != -1 and least and least > steps:
        raise ValueError(f"trainer.min_steps ({least}) exceeds trainer.max_steps ({steps})")
    if epochs not in (None, -1) and (flags.get("min_epochs") or 0) > epochs:
        raise ValueError(f"trainer.min_epochs ({flags['min_epochs']}) exceeds trainer.max_epochs ({epochs})")
    if steps != -1 and flags.get("min_epochs"):
        raise ValueError("trainer.min_epochs does not go with trainer.max_steps, which ends training before it: leave one out")
