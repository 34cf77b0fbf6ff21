"""A model whose steps are recorded on a GPU: on a CPU it is the fast model; tests/test_cuda.py has the rest."""

import torch

from maskgit_lab.fast.recorded import RecordedModel
from tests.support.builders import model, transformer


def test_recorded_model_shares_the_networks_and_computes_the_same_on_a_cpu():
    fast = model(dropout=0.0)
    recorded = RecordedModel.of(fast)
    assert recorded.transformer is fast.transformer
    assert set(recorded.state_dict()) == set(fast.state_dict())
    tokens = torch.randint(17, (3, transformer().num_image_tokens))
    hidden = torch.rand(tokens.shape) < 0.5
    context = torch.randn(3, tokens.shape[1], 16)
    assert torch.equal(recorded.hidden_logits(tokens, hidden, context), fast.hidden_logits(tokens, hidden, context))
