"""The trained networks with the parts of `fast` in place of their own computations."""

from contextlib import AbstractContextManager
from typing import Self

from torch import Tensor

from maskgit_lab.fast.positions import Positions
from maskgit_lab.fast.predictors import FastPredictors
from maskgit_lab.fast.projection import weights_fixed
from maskgit_lab.fast.transformer import FastTransformer
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.prediction import Predictors


class FastModel(MaskedTokenModel):
    """A MaskedTokenModel that computes hidden tokens only; `forward`, parameters and their names are the plain model's."""

    @classmethod
    def of(cls, model: MaskedTokenModel) -> Self:
        """Return the same model, sharing its networks."""
        return cls(transformer=model.transformer, context=model.context).train(model.training)

    def hidden_logits(self, tokens: Tensor, hidden: Tensor, context: Tensor | None = None) -> Tensor:
        """Return logits (M, V + 1) at hidden positions; the last block and the head run on those only."""
        on_host = hidden.cpu()  # where training draws it: nothing waits
        positions = Positions.of(on_host, on_host.sum(1).tolist()).to(tokens.device)
        return FastTransformer(self.transformer).logits(tokens, context, positions)

    def predictors(self, tokens: Tensor, mask: Tensor, context: Tensor | None) -> Predictors:
        """Return what predicts the hidden tokens of some images, with memory from step to step."""
        return FastPredictors(FastTransformer(self.transformer), tokens, mask, context)

    def weights_fixed(self) -> AbstractContextManager[None]:
        """Promise that no weights change inside: each is cast, and put in the order of a processor's library, once."""
        return weights_fixed()
