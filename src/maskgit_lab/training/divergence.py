"""Stop a training whose loss or gradient is no longer finite, before it reaches the weights.

The update of such a batch is left out on the device itself (`found_inf`, which fused optimisers and Muon know), and so are later
ones. So the weights stay those of before even where a GPU is behind the process that gives it work: there the flag is read now and
then, because reading waits for the device. All processes of a run see the same loss and gradient: all stop after the same batch.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

READ_EVERY = 16  # batches between two looks at the flag on a GPU; on a CPU every batch is looked at
NUM_NAMED = 3  # tensors that a message names


class DivergedError(ValueError):
    """A loss, a gradient or a weight is NaN or infinite."""


class DivergenceGuard:
    """Watch the losses of one training.

    Args:
        stage: what is trained, for the message.
        keys: the configuration keys that help, for the message.
    """

    def __init__(self, *, stage: str, keys: str) -> None:
        self.stage = stage
        self.keys = keys
        self._first: Tensor | None = None  # int64 scalar on the device: number of the first batch that was not finite, -1 = none
        self._unread: list[str] = []  # what to call each batch since the last look
        self._numbers = 0  # of the first of them

    def watch(self, loss: Tensor, name: str) -> None:
        """Note the loss (scalar, the same on all processes) of the batch `name`; nothing waits for the device."""
        self._unread.append(name)
        self._note(loss.detach())

    def protect(self, optimizer: Optimizer, gradient_norm: Tensor) -> None:
        """Let the optimiser leave out its coming update when the batch, or one before it, was not finite."""
        self._note(gradient_norm)
        assert self._first is not None
        if self._first.device.type != "cpu":
            optimizer.found_inf = (self._first >= 0).float()  # type: ignore[attr-defined]
        elif int(self._first) >= 0:
            optimizer.found_inf = torch.ones(())  # type: ignore[attr-defined]

    def look(self, *, now: bool = False) -> None:
        """Raise DivergedError when a batch was not finite. On a GPU only now and then, or `now`."""
        if self._first is None or (self._first.device.type != "cpu" and len(self._unread) < READ_EVERY and not now):
            return
        number = int(self._first)
        if number >= 0:
            raise DivergedError(
                f"the loss of {self.stage} or its gradient is not finite (NaN or infinite) at "
                f"{self._unread[number - self._numbers]}: stopped, and the weights are those of before that batch. Try {self.keys}"
            )
        self._numbers += len(self._unread)
        self._unread.clear()

    def _note(self, value: Tensor) -> None:
        # all(): a loss of one's own may have the shape (1,), and fused optimisers on a GPU take a scalar only
        if self._first is None:
            self._first = torch.full((), -1, dtype=torch.int64, device=value.device)
        number = self._numbers + len(self._unread) - 1
        self._first = self._first.masked_fill((self._first < 0) & ~value.isfinite().all(), number)


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Return the norm of all gradients (scalar), which is not finite when one of them is not."""
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


def require_finite_weights(weights: Mapping[str, Any], what: str) -> None:
    """Raise DivergedError when a tensor of `weights` holds NaN or infinity; the message begins with `what` and names some."""
    tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor) and value.is_floating_point()}
    if not tensors:
        return
    finite = torch.stack([value.isfinite().all() for value in tensors.values()]).tolist()  # one wait for the device
    broken = [name for name, good in zip(tensors, finite, strict=True) if not good]
    if broken:
        shown = ", ".join(broken[:NUM_NAMED]) + (", ..." if len(broken) > NUM_NAMED else "")
        raise DivergedError(f"{what}: {len(broken)} of {len(tensors)} tensors are not finite ({shown})")
