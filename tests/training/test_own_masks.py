"""Training on own masks: their holes lie where they are in the files."""

from typing import Any

import pytest
import torch

from maskgit_lab.models.masked_token_model import MaskedTokenModel
from tests.support.builders import pictures, stage_2, tokenizer


@pytest.mark.parametrize("turned", [True, False])
def test_masked_loss_takes_own_masks_as_they_lie(turned: bool, monkeypatch: pytest.MonkeyPatch):
    corner = torch.zeros(1, 32, 32, dtype=torch.bool)
    corner[0, :12, :8] = True
    stage = stage_2(holes=corner, turn_holes=turned)
    shown: list[torch.Tensor] = []
    hidden_logits = MaskedTokenModel.hidden_logits

    def seen(model: MaskedTokenModel, tokens: torch.Tensor, *rest: Any) -> torch.Tensor:
        shown.append(tokens)
        return hidden_logits(model, tokens, *rest)

    monkeypatch.setattr(type(stage.model), "hidden_logits", seen)
    images = torch.from_numpy(pictures(8, seed=1))
    for number in range(4):
        stage.measured_loss({"tokens": tokenizer().encode(images), "images": images}, number)
    hidden = torch.cat(shown).unflatten(1, (8, 8)) == stage.model.transformer.mask_token_id
    under = hidden[:, :3, :2].flatten(1).any(1)
    assert under.any()
    assert bool(under.all()) != turned
    hidden[:, :3, :2] = False
    assert bool(hidden.any()) == turned
