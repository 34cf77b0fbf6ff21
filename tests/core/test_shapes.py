"""Networks as shapes only."""

import torch
from torch import nn

from maskgit_lab.core.shapes import shapes_only


def test_shapes_only_makes_networks_without_memory_and_draws_nothing():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with shapes_only():
        large, embedding, convolution = nn.Linear(10**6, 10**6), nn.Embedding(3, 4), nn.Conv2d(1, 2, 3)
        nn.init.trunc_normal_(embedding.weight)
    assert all(parameter.is_meta for network in (large, embedding, convolution) for parameter in network.parameters())
    assert large.weight.shape == (10**6, 10**6)
    assert torch.equal(torch.get_rng_state(), before)
