"""The loader: every image once per epoch, in an order that a resumed run continues."""

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from maskgit_lab.data.loader import ResumableLoader
from maskgit_lab.training.quiet import quiet_lightning


def loader(**changes: Any) -> ResumableLoader:
    arguments: dict[str, Any] = {
        "num_items": 22, "batch_size": 4, "collate": lambda indices: indices.tolist(), "seed": 3, "shuffle": True,
        "drop_last": True,
    }  # fmt: skip
    return ResumableLoader(**{**arguments, **changes})


def epoch(source: ResumableLoader, number: int) -> list[list[int]]:
    source.set_epoch(number)
    return list(source)


def test_loader_serves_each_item_at_most_once_and_drops_the_odd_batch():
    batches = epoch(loader(), 0)
    served = [i for batch in batches for i in batch]
    assert [len(batch) for batch in batches] == [4] * 5
    assert len(set(served)) == 20
    assert set(served) <= set(range(22))


def test_loader_of_validation_serves_all_items_in_order():
    batches = epoch(loader(shuffle=False, drop_last=False), 5)
    assert [i for batch in batches for i in batch] == list(range(22))


def test_loader_order_is_a_function_of_seed_and_epoch():
    assert epoch(loader(), 1) == epoch(loader(), 1)
    assert epoch(loader(), 1) != epoch(loader(), 2)
    assert epoch(loader(), 1) != epoch(loader(seed=4), 1)


def test_loader_goes_on_after_the_last_batch_served():
    first = loader()
    first.set_epoch(7)
    batches = iter(first)
    served = [next(batches) for _ in range(3)]
    second = loader()
    second.load_state_dict(first.state_dict())
    assert second.epoch == 7
    assert served + list(second) == epoch(loader(), 7)
    assert epoch(second, 8) == epoch(loader(), 8)


def test_loader_goes_on_with_the_next_epoch_after_a_whole_one():
    first = loader()
    epoch(first, 2)
    second = loader()
    second.load_state_dict(first.state_dict())
    assert list(second) == epoch(loader(), 3)


@pytest.mark.parametrize("drop_last", [True, False])
def test_loader_shares_an_epoch_evenly_between_ranks(drop_last: bool):
    ranks = [epoch(loader(rank=rank, world_size=3, drop_last=drop_last), 0) for rank in range(3)]
    served = [i for batches in ranks for batch in batches for i in batch]
    assert len({len(batches) for batches in ranks}) == 1
    if drop_last:
        assert len(set(served)) == len(served)
    else:
        assert set(served) == set(range(22))
        assert len(served) == 24  # two items twice, so that no rank waits for another


@pytest.mark.parametrize("drop_last", [True, False])
def test_loader_on_two_ranks_gives_the_batches_of_one_process_with_twice_the_size(drop_last: bool):
    whole = epoch(loader(batch_size=8, num_items=21, drop_last=drop_last), 1)
    sources = [loader(rank=rank, world_size=2, num_items=21, drop_last=drop_last) for rank in range(2)]
    ranks = [epoch(source, 1) for source in sources]
    assert len(whole) == len(ranks[0]) == len(ranks[1])
    for number, expected in enumerate(whole):
        mixed = [item for pair in zip(*(batches[number] for batches in ranks), strict=True) for item in pair]
        assert mixed[: sources[0].items_in_batch(number)] == expected


def test_loader_on_other_devices_goes_on_at_the_same_place_with_the_same_whole_batch():
    first = loader(batch_size=8)
    first.set_epoch(1)
    batches = iter(first)
    next(batches)
    ranks = [loader(rank=rank, world_size=2) for rank in range(2)]
    for rank in ranks:
        rank.load_state_dict(first.state_dict())
    rest = sorted(next(batches))
    assert sorted(item for rank in ranks for batch in rank for item in batch) == rest


def test_loader_warns_of_another_whole_batch_in_the_middle_of_an_epoch(caplog: pytest.LogCaptureFixture):
    first = loader()
    next(iter(first))
    second = loader(world_size=2)
    second.load_state_dict(first.state_dict())
    assert "8 images per step on all devices instead of 4" in caplog.text
    assert "keep data.batch_size x devices at 4" in caplog.text


def test_loader_with_another_whole_batch_begins_the_next_epoch_after_a_whole_one(caplog: pytest.LogCaptureFixture):
    first = loader()
    epoch(first, 2)
    second = loader(batch_size=2)
    second.load_state_dict(first.state_dict())
    assert caplog.text == ""
    assert list(second) == epoch(loader(batch_size=2), 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "data.batch_size must be at least 1, got 0"),
        ({"batch_size": 23}, r"data.batch_size \(23 on 1 devices\) exceeds the 22 items"),
        ({"batch_size": 12, "world_size": 2}, r"data.batch_size \(12 on 2 devices\) exceeds"),
        ({"num_items": 0}, "at least one item"),
    ],
)
def test_loader_without_a_batch_is_refused(changes: dict[str, int], message: str):
    with pytest.raises(ValueError, match=message):
        loader(**changes)


class Recorder(L.LightningModule):
    """Write down which items each step saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[int, list[int]]] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.seen.append((batch_idx, batch.tolist()))
        return self.weight.sum()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(recorder: Recorder, folder: Path, *, steps: int, resume: bool = False) -> None:
    quiet_lightning()
    trainer = L.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        use_distributed_sampler=False, callbacks=[ModelCheckpoint(folder, filename="last", every_n_train_steps=1)],
    )  # fmt: skip
    source = loader(collate=torch.from_numpy)
    path = folder / "last.ckpt" if resume else None
    trainer.fit(recorder, source, ckpt_path=path, weights_only=True)


@pytest.mark.parametrize("stop", [3, 5, 7, 10])
def test_loader_resumes_in_lightning_at_the_next_batch(tmp_path: Path, stop: int):
    whole, first, second = Recorder(), Recorder(), Recorder()
    fit(whole, tmp_path / "whole", steps=12)
    fit(first, tmp_path / "parts", steps=stop)
    fit(second, tmp_path / "parts", steps=12, resume=True)
    assert first.seen + second.seen == whole.seen
    epochs = np.array([items for _, items in whole.seen][:10]).reshape(2, -1)
    assert all(len(set(items)) == 20 for items in epochs.tolist())
