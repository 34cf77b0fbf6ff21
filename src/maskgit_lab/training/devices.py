"""How many devices a training names, whether they are there, and that each holds the whole network."""

import logging
from collections.abc import Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy

log = logging.getLogger("maskgit_lab")


def asks_for_one_device(devices: Any, num_nodes: int = 1) -> bool:
    """Return whether `trainer.devices` is one device, written as Lightning reads it: 1, "1", [3]; "auto" and -1 may be several."""
    return num_nodes == 1 and (
        devices in (1, "1") or (isinstance(devices, Sequence) and not isinstance(devices, str) and len(devices) == 1)
    )


def check_accelerator(accelerator: str) -> None:
    """Raise ValueError when a GPU is configured and there is none, before anything is trained; say so where it is Apple's."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if mps and accelerator in ("auto", "gpu", "mps"):
        log.warning(
            f"trainer.accelerator={accelerator} trains on Apple's GPU (MPS), on which this package has not been run; "
            "trainer.accelerator=cpu has been (docs/platforms.md)"
        )
    if (accelerator == "cuda" and not cuda) or (accelerator == "gpu" and not (cuda or mps)):
        raise ValueError(
            f"trainer.accelerator={accelerator}: torch finds no GPU here. trainer.accelerator=auto takes what there is; "
            "trainer=cpu_ddp runs two processes on the CPU"
        )


def require_whole_weights(trainer: L.Trainer) -> None:
    """Raise ValueError where a strategy cuts the weights up: scores and samples run the network outside training's own steps."""
    if isinstance(trainer.strategy, FSDPStrategy | ModelParallelStrategy | DeepSpeedStrategy):
        raise ValueError(
            f"trainer.strategy={type(trainer.strategy).__name__} cuts the weights up, which this package does not support: "
            "its largest model (recipe=lab, 72.7 M parameters) fits every GPU. trainer=multi_gpu keeps a whole one on each"
        )
