"""What predictions gain from tokens that are shown: nothing where a context drowns them."""

import pytest
import torch

from benchmarks.shown import measured
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.evaluation.fill_set import Filler
from tests.support.builders import boxes, model, pictures, tokenizer


@pytest.mark.parametrize("context_norm", [True, False])
def test_shown_tells_a_network_that_hears_tokens_from_one_that_does_not(context_norm: bool):
    network = model(context=True, context_norm=context_norm).eval()
    assert network.context is not None
    network.context.out.weight.data *= 1e6  # as large as nothing forbids
    for parameter in network.transformer.parameters():  # predictions of some size
        parameter.data *= 5
    filler = Filler(network, tokenizer(), DecodeSettings(schedule=Cosine(), num_steps=2))
    images, holes = torch.from_numpy(pictures(24)), torch.from_numpy(boxes(24))
    rows, sizes = measured(filler, images, holes, [1.0, 0.05])
    assert [row[0] for row in rows] == ["1", "0.05"]
    assert rows[0][1] == rows[0][2]  # nothing is shown
    assert (rows[1][1] != rows[1][2]) == context_norm
    assert (rows[0][1] != rows[1][1]) == context_norm
    assert sizes["context"] > 1000 * sizes["token embeddings"]
