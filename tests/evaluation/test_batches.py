"""Batches: every image once, in order, and smaller ones where memory is short."""

import pytest
import torch

from maskgit_lab.evaluation.batches import in_batches

CPU = torch.device("cpu")


def divided(count: int, *, batch_size: int | None = None, fits: int = 10**9) -> list[tuple[int, int]]:
    def work(part: slice) -> int:
        if part.stop - part.start > fits:
            raise torch.OutOfMemoryError("too many")
        return part.stop - part.start

    return [(part.start, size) for part, size in in_batches(count, work, batch_size=batch_size, device=CPU)]


def test_in_batches_keeps_a_batch_size_that_is_asked_for():
    assert divided(7, batch_size=3) == [(0, 3), (3, 3), (6, 1)]


def test_in_batches_gives_every_image_once_and_in_order():
    parts = divided(100)
    assert [start for start, _ in parts] == [sum(size for _, size in parts[:i]) for i in range(len(parts))]
    assert sum(size for _, size in parts) == 100


def test_in_batches_halves_until_it_fits_and_stays_so():
    assert {size for _, size in divided(32, fits=5)} == {4}


def test_in_batches_fails_without_memory_for_one_image_or_for_the_batch_asked_for():
    with pytest.raises(torch.OutOfMemoryError):
        divided(4, fits=0)
    with pytest.raises(torch.OutOfMemoryError):
        divided(8, batch_size=8, fits=4)


def test_in_batches_does_nothing_for_no_images():
    assert divided(0) == []
