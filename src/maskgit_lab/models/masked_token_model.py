"""The trained part of an inpainting model: the transformer and, when it has one, the encoder of the known pixels."""

from torch import Tensor, nn

from maskgit_lab.core.positions import Positions
from maskgit_lab.models.context import PixelContext
from maskgit_lab.models.transformer import BidirectionalTransformer


class MaskedTokenModel(nn.Module):
    """Predict hidden tokens from visible tokens and, with a context, from the known pixels.

    Args:
        transformer: predicts the tokens.
        context: None = tokens alone (the lab's model).
    """

    def __init__(self, *, transformer: BidirectionalTransformer, context: PixelContext | None = None) -> None:
        super().__init__()
        self.transformer = transformer
        self.context = context

    def read_context(self, images: Tensor, holes: Tensor) -> Tensor | None:
        """Return the context (B, N, dim) of pictures uint8 (B, H, W, 3) with holes (B, H, W) bool, or None without one."""
        if self.context is None:
            return None
        return self.context(images.permute(0, 3, 1, 2).float() / 255, holes)

    def forward(self, tokens: Tensor, context: Tensor | None = None, positions: Positions | None = None) -> Tensor:
        """Return logits (B, N, V + 1) for tokens (B, N), or (M, V + 1) where only some positions are wanted."""
        return self.transformer(tokens, context, positions)
