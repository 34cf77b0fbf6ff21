"""The trained part of an inpainting model: the transformer and, when it has one, the encoder of the known pixels."""

import functools
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, nn

from maskgit_lab.models.context import PixelContext
from maskgit_lab.models.prediction import GridPredictors, Predictors
from maskgit_lab.models.transformer import BidirectionalTransformer


class MaskedTokenModel(nn.Module):
    """Predict hidden tokens from visible tokens and, with a context, from the known pixels.

    Args:
        transformer: predicts the tokens.
        context: None = tokens only (the lab's model).
    """

    def __init__(self, *, transformer: BidirectionalTransformer, context: PixelContext | None = None) -> None:
        super().__init__()
        self.transformer = transformer
        self.context = context

    def read_context(self, images: Tensor, holes: Tensor) -> Tensor | None:
        """Return the context (B, N, dim) of images uint8 (B, H, W, 3) with holes (B, H, W) bool, or None without one."""
        if self.context is None:
            return None
        return self.context(images.permute(0, 3, 1, 2).float() / 255, holes)

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """Return logits (B, N, V + 1) for tokens (B, N)."""
        return self.transformer(tokens, context)

    def hidden_logits(self, tokens: Tensor, hidden: Tensor, context: Tensor | None = None) -> Tensor:
        """Return logits (M, V + 1) for tokens (B, N) at the M positions that are hidden, image by image.

        `hidden` (B, N) bool is on the host, where its size is known without waiting, or with the tokens.
        """
        return self(tokens, context)[hidden]

    def predictors(self, tokens: Tensor, mask: Tensor, context: Tensor | None) -> Predictors:
        """Return what predicts the hidden tokens of some images, in any number of decodes.

        `tokens` (B, N) int64 are ignored under `mask` (B, N) bool, True = hidden; `context` is what `read_context` returned.
        """
        return GridPredictors(functools.partial(self, context=context), tokens, mask, self.transformer.mask_token_id)

    def weights_fixed(self) -> AbstractContextManager[None]:
        """Promise that no weights change inside; a faster model prepares them once. Promises may nest."""
        return nullcontext()
