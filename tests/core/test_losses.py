"""The training loss: the same from the whole grid and from the hidden positions alone."""

import pytest
import torch
from torch.nn import functional as F

from maskgit_lab.core.losses import masked_cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_masked_cross_entropy_is_the_mean_over_hidden_tokens_however_they_are_given(smoothing: float):
    logits, tokens, mask = torch.randn(3, 8, 5), torch.randint(5, (3, 8)), torch.rand(3, 8) < 0.5
    whole = masked_cross_entropy(logits, tokens, mask, label_smoothing=smoothing)
    packed = masked_cross_entropy(logits[mask], tokens, mask, label_smoothing=smoothing)
    expected = F.cross_entropy(logits[mask], tokens[mask], label_smoothing=smoothing)
    torch.testing.assert_close(whole.loss, expected)
    torch.testing.assert_close(packed.loss, expected)
    assert packed.accuracy == whole.accuracy == (logits.argmax(-1) == tokens)[mask].float().mean()


def test_masked_cross_entropy_of_an_empty_mask_is_zero():
    loss = masked_cross_entropy(torch.randn(2, 4, 3), torch.zeros(2, 4, dtype=torch.long), torch.zeros(2, 4, dtype=torch.bool))
    assert (loss.loss, loss.num_hidden) == (0, 0)
