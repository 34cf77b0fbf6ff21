"""Ctrl-C and SIGTERM between two updates, never inside one, so that the checkpoint they leave continues where training stopped.

Several processes stop after the same batch; when one fails, the others end too.
"""

import logging
import signal
import subprocess
from collections.abc import Callable
from types import FrameType
from typing import Any

import lightning as L
import torch.distributed
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

log = logging.getLogger("maskgit_lab")

GRACE = 10.0  # seconds in which the other processes may say why they failed


class StopBetweenBatches(Callback):
    """Treat the first Ctrl-C like SIGTERM, which is answered after the current update of the weights; a second one stops at once.

    Lightning itself answers Ctrl-C at once, which may be between an update of the weights and the count of that update, and SIGTERM
    after a batch, which loses the gradients of the batches that one update gathers (trainer.accumulate_grad_batches). With several
    processes it answers SIGTERM by a collective call inside the signal handler, possibly in the middle of another one. Here each
    process notes the signal and all agree after the update, and after the validation that follows it. Whatever else ends an update
    or a validation half-way leaves the checkpoint of before.

    Args:
        record: told of an error that ends the training; returns whether it is the first; the others follow from it.
    """

    def __init__(self, *, record: Callable[[BaseException], bool] = lambda error: True) -> None:
        self.record = record
        self._before: dict[signal.Signals, Any] = {}
        self._pressed = False
        self._told_to_stop = False
        self._within_update = self._validating = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take over Ctrl-C and SIGTERM; by now Lightning listens to it, and it may have heard one already."""
        self._pressed = self._within_update = self._validating = False
        self._told_to_stop, trainer._signal_connector.received_sigterm = trainer.received_sigterm, False
        self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._on_ctrl_c)
        self._before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._on_sigterm)

    def on_train_batch_start(self, *_: Any) -> None:
        """Note that an update begins or goes on."""
        self._within_update, self._validating = True, False

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note that a validation begins: from a checkpoint in the middle of one its epoch would have no score."""
        self._validating = not trainer.sanity_checking

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Stop on all processes when one was told to, the weights are updated and no validation is due: half a one scores wrong."""
        self._within_update = trainer.fit_loop._should_accumulate()
        fetcher = trainer.fit_loop._data_fetcher
        assert fetcher is not None
        if not self._within_update and not trainer.fit_loop.epoch_loop._should_check_val_fx(fetcher):
            self._agree(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop on all processes when one was told to while it validated."""
        self._validating = False
        self._agree(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Give the signals back."""
        self._give_back()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Give the signals back; after a failure, leave the other processes."""
        self._give_back()
        half_update = self._within_update and trainer.accumulate_grad_batches > 1
        # the disk that is full, or whatever else the system refused, would fail again
        if isinstance(exception, KeyboardInterrupt | OSError) or half_update or self._validating:
            _keep_earlier_checkpoints(trainer)
        if trainer.world_size > 1 and not isinstance(exception, SIGTERMException):
            _part(trainer, at_once=self.record(exception))

    def _agree(self, trainer: L.Trainer) -> None:
        if trainer.world_size == 1:
            trainer._signal_connector.received_sigterm |= self._told_to_stop
            return
        told = torch.tensor(float(self._told_to_stop), device=trainer.strategy.root_device)
        torch.distributed.all_reduce(told)  # not the strategy's reduce, which waits at a barrier first
        if told:
            # what Lightning's own handler sets, and what its loops look at
            trainer._signal_connector.received_sigterm = True

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            if handler is not None:  # None: it was not installed from Python
                signal.signal(number, handler)
        self._before = {}

    def _on_ctrl_c(self, signal_number: int, frame: FrameType | None) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
        log.info("\nStopping after this batch; Ctrl-C again stops at once, with the checkpoint of before")
        signal.raise_signal(signal.SIGTERM)

    def _on_sigterm(self, signal_number: int, frame: FrameType | None) -> None:
        self._told_to_stop = True


def _part(trainer: L.Trainer, *, at_once: bool) -> None:
    """Leave the other processes and end those that this one started, after some time in which they may say why they failed."""
    _keep_earlier_checkpoints(trainer)  # a checkpoint is made by all processes together
    abort = getattr(torch.distributed.group.WORLD, "abort", None)
    if abort is not None:
        abort()  # or leaving waits for what the others have yet to send
    leave_process_group()
    launched: list[subprocess.Popen] = getattr(trainer.strategy.launcher, "procs", [])
    started = list(launched)
    launched.clear()  # Lightning's observer would kill this process when one of these fails, before it has told what happened
    for process in started:
        try:
            process.wait(0 if at_once else GRACE)
        except subprocess.TimeoutExpired:
            process.kill()


def _keep_earlier_checkpoints(trainer: L.Trainer) -> None:
    """Make no checkpoint of what is there now."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint):
            callback.save_on_exception = False


def leave_process_group() -> None:
    """Leave the other processes; otherwise a metric would wait for them."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
