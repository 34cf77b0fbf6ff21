"""The training loss of masked visual token modeling."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class MaskedLoss:
    """Cross entropy and accuracy over hidden positions."""

    loss: Tensor  # scalar, nats per hidden token
    accuracy: Tensor  # scalar in [0, 1], share of hidden tokens predicted exactly
    num_hidden: Tensor  # scalar int64


def masked_cross_entropy(
    logits: Tensor, tokens: Tensor, mask: Tensor, *, label_smoothing: float = 0.0, denominator: Tensor | None = None
) -> MaskedLoss:
    """Return the cross entropy on the hidden positions only, in float32 whatever the network's precision.

    Args:
        logits: (B, N, V) float, or (M, V) at the hidden positions only; V may include the mask token.
        tokens: (B, N) int64, the true tokens.
        mask: (B, N) bool, True = hidden; on the host or with the tokens. On the host, nothing waits for its size.
        label_smoothing: in [0, 1).
        denominator: scalar that the sum over hidden positions is divided by, None = their number. Where W processes share a batch,
            the hidden positions of all of them / W: then the mean over processes is the mean over all hidden positions.

    Returns:
        The mean over all hidden positions of the batch; 0 for an empty mask.
    """
    # where they are hidden, found on the mask's own device: indexing by a mask on the host would wait for all that is under way
    rows = mask.flatten().nonzero().squeeze(1).to(tokens.device, non_blocking=True)  # (M,)
    hidden_logits = (logits if logits.ndim == 2 else logits.flatten(0, 1).index_select(0, rows)).float()  # (M, V)
    target = tokens.flatten().index_select(0, rows)  # (M,)
    num_hidden = mask.sum()
    loss = F.cross_entropy(hidden_logits, target, label_smoothing=label_smoothing, reduction="sum")
    correct = (hidden_logits.argmax(-1) == target).sum()
    denominator = num_hidden.clamp(min=1) if denominator is None else denominator
    return MaskedLoss(loss=loss / denominator, accuracy=correct / denominator, num_hidden=num_hidden.to(torch.int64))
