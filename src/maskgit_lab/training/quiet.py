"""Hide Lightning's advice that a user cannot act on here: it would hide real warnings."""

import logging
import warnings

# message starts of warnings that are expected in this package, each with the reason why it needs no action
EXPECTED_WARNINGS = (
    # the loader serves memory-mapped arrays in this process; workers would only copy them
    r"The '(train|val)_dataloader' does not have many workers",
    # resuming in the middle of an epoch is what the resumable loader is for
    r".*resuming from a checkpoint that ended before the epoch ended",
    # Lightning's own call of a torch function that torch has renamed
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    # epochs of a small data set are shorter than the interval; their ends are logged all the same
    r"The number of training batches .* is smaller than the logging interval",
    # with trainer.overfit_batches the data module serves the same batches in their order; Lightning knows torch's samplers only
    r"You requested to overfit but enabled .* dataloader shuffling",
    # Lightning wraps the network for DDP on a stream of its own
    r"The AccumulateGrad node's stream does not match the stream of the node that produced the incoming gradient",
    # the context's convolutions are in channels-last order, which is faster than what this costs
    r"Grad strides do not match bucket view strides",
    # a resumed run writes into its own folder again
    r"Checkpoint directory .* exists and is not empty",
    r"Experiment logs directory .* exists and is not empty",
)


def quiet_lightning() -> None:
    """Raise Lightning's console level to warnings and drop the expected ones."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
