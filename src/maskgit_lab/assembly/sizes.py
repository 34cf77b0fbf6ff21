"""How much there is to train, validate and test on, against what the configuration asks for: said before stage 1 is trained."""

import logging

from maskgit_lab.assembly.schemas import TrainConfig
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.training.devices import asks_for_one_device

log = logging.getLogger("maskgit_lab")

FOR_A_DISTANCE = 2  # images a side


def check_sizes(config: TrainConfig, splits: DataSplits) -> None:
    """Raise ValueError where training or scores cannot be, and warn where they can but mean little."""
    data, flags = config.data, config.trainer
    num_train, num_val, num_test = len(splits.train), len(splits.val), len(splits.test)
    items, size = num_train * (2 if data["flip"] else 1), data["batch_size"]
    if size > items:
        raise ValueError(f"data.batch_size ({size}) exceeds the training set ({num_train} images): at most {items} here")
    fills = min(data["num_val_fills"], num_val)
    if config.callbacks.get("scores") is not None and fills < FOR_A_DISTANCE and not flags.get("fast_dev_run"):
        raise ValueError(
            f"callbacks.scores needs at least {FOR_A_DISTANCE} validation images with holes, got {fills} (data.num_val_fills, and "
            f"{num_val} validation images): callbacks.scores=null leaves the scores of each epoch out"
        )
    if splits.test.truth is not None and num_test < FOR_A_DISTANCE:
        raise ValueError(
            f"the test set holds {num_test} image: a run ends with a distance of distributions, which needs at least "
            f"{FOR_A_DISTANCE}. Add test images, or give them without truth, then they are filled and drawn only"
        )
    if num_val == 1:
        log.warning("One validation image: val/loss, and which weights are the best, rest on it alone")
    stage1_size = config.tokenizer.training["batch_size"]
    if not config.tokenizer.checkpoint and stage1_size > num_train:
        log.warning(
            f"tokenizer.training.batch_size ({stage1_size}) exceeds the training set: stage 1 takes all {num_train} at once"
        )
    if asks_for_one_device(flags.get("devices", 1), flags.get("num_nodes", 1)):
        _check_batches(config, train=items // size, val=-(-num_val // data["val_batch_size"]))


def _check_batches(config: TrainConfig, *, train: int, val: int) -> None:
    """Check flags that are numbers or shares of batches, for an epoch of so many batches."""
    flags = config.trainer
    for name, there in (("limit_train_batches", train), ("limit_val_batches", val), ("overfit_batches", min(train, val))):
        share = flags.get(name)
        if isinstance(share, float) and 0 < share * there < 1:
            raise ValueError(f"trainer.{name}={share} of {there} batches is less than one: give a larger share, or a whole number")
    limit = flags.get("overfit_batches") or flags.get("limit_train_batches")
    batches = train if limit is None else int(limit * train) if isinstance(limit, float) else min(limit, train)
    interval, every = flags.get("val_check_interval"), flags.get("check_val_every_n_epoch", 1)
    steps, epochs = flags.get("max_steps", -1), flags.get("max_epochs")
    accumulated = flags.get("accumulate_grad_batches", 1)
    if accumulated > batches:
        log.warning(f"trainer.accumulate_grad_batches ({accumulated}) exceeds an epoch's {batches} batches: one update an epoch")
    if isinstance(interval, int) and interval > batches and every is not None:
        raise ValueError(
            f"trainer.val_check_interval ({interval}) exceeds an epoch's {batches} batches: trainer.check_val_every_n_epoch=null "
            "counts batches over epochs"
        )
    if isinstance(interval, int) and every is None and epochs not in (None, -1) and interval > batches * epochs:
        raise ValueError(f"trainer.val_check_interval ({interval}) exceeds all {batches * epochs} batches: nothing is validated")
    if steps != -1 and every is not None and steps * accumulated < batches * (every - 1) + 1:
        raise ValueError(f"trainer.max_steps ({steps}) ends before the first validation, trainer.check_val_every_n_epoch={every}")
