"""Parts of a batch: together they are the whole, and losses of parts average to the loss of the whole."""

import pytest
import torch

from maskgit_lab.core.batch_share import BatchShare
from maskgit_lab.core.losses import masked_cross_entropy


@pytest.mark.parametrize(("num_items", "num_ranks"), [(8, 1), (8, 2), (7, 2), (5, 4), (1, 3)])
def test_batch_share_covers_the_batch_once_and_its_filler_does_not_count(num_items: int, num_ranks: int):
    values, size = torch.arange(num_items), -(-num_items // num_ranks)
    found = []
    for rank in range(num_ranks):
        share = BatchShare(num_items, rank, num_ranks)
        own = share.own(values, size)
        assert len(own) == size
        found += own[share.counts(size, values.device)].tolist()
    assert sorted(found) == list(range(num_items))


def test_batch_share_of_one_process_is_the_whole_batch_in_its_order():
    values = torch.randn(6, 3)
    assert torch.equal(BatchShare(6).own(values, 6), values)
    assert bool(BatchShare(6).counts(6, values.device).all())


def test_masked_cross_entropy_of_uneven_shares_averages_to_that_of_the_whole():
    generator = torch.Generator().manual_seed(0)
    logits, tokens = torch.randn(7, 5, 4, generator=generator), torch.randint(4, (7, 5), generator=generator)
    mask = torch.rand(7, 5, generator=generator) < 0.4
    whole = masked_cross_entropy(logits, tokens, mask)
    parts = []
    for rank in range(2):
        share = BatchShare(7, rank, 2)
        own = share.own(mask, 4) & share.counts(4, mask.device)[:, None]
        parts.append(masked_cross_entropy(share.own(logits, 4), share.own(tokens, 4), own, denominator=whole.num_hidden / 2))
    assert float(torch.stack([part.loss for part in parts]).mean()) == pytest.approx(float(whole.loss), rel=1e-6)
    mean = torch.stack([part.accuracy for part in parts]).mean()
    assert float(mean) == pytest.approx(float(whole.accuracy), rel=1e-6)
