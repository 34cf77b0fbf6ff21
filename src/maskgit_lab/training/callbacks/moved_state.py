"""A run goes on wherever its folder lies, with the settings it has now: Lightning forgets the best epoch of a moved one."""

import logging
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

log = logging.getLogger("maskgit_lab")


class MovedState(Callback):
    """Turn the states of callbacks in a checkpoint into those of this folder, before the callbacks read them."""

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Change the checkpoint in place."""
        states = checkpoint.get("callbacks", {})
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            state = states.get(callback.state_key)
            if not state:
                continue
            if isinstance(callback, ModelCheckpoint):
                states[callback.state_key] = in_this_folder(state, callback)
            elif isinstance(callback, EarlyStopping):
                # the patience is what is configured now, and a run that goes on was not stopped
                states[callback.state_key] = {**state, "patience": callback.patience, "stopped_epoch": 0}


def in_this_folder(state: dict[str, Any], callback: ModelCheckpoint) -> dict[str, Any]:
    """Return the state of a checkpoint callback with its files where they are now; files that are gone are forgotten.

    Without this Lightning drops the best value when the folder is another one, and the next epoch becomes the best whatever it is.
    """
    before, now = Path(state["dirpath"]), Path(str(callback.dirpath))

    def here(path: str) -> str:
        if not path:
            return path
        found = now / (Path(path).relative_to(before) if Path(path).is_relative_to(before) else Path(path).name)
        return str(found) if found.is_file() else ""

    kept = {here(path): score for path, score in state["best_k_models"].items() if here(path)}
    names = ("best_model_path", "kth_best_model_path", "last_model_path")
    moved = {**state, "dirpath": str(now), **{name: here(state[name]) for name in names}, "best_k_models": kept}
    if state["best_k_models"] and not kept:
        log.warning(f"{Path(state['best_model_path']).name} is gone from {now}: the best epoch is looked for anew from here")
        unset = ModelCheckpoint(monitor=callback.monitor, mode=callback.mode)
        moved |= {"best_model_score": None, "kth_value": unset.kth_value, "current_score": None}
    return moved
