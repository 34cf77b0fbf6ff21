"""A decoder that is given the known pixels and the hole, beside the tokens.

The tokens of the known part are a lossy copy of pixels that are there. Reading those pixels makes the known part sharp and lets
what is painted under the hole continue them (Zhu et al. 2023, asymmetric VQGAN; Liu et al. 2022, PUT). Encoder and codebook stay as
they are, so tokens, their caches and the transformer stay valid.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.models.patch_vqgan import GridBlock
from maskgit_lab.models.vqgan import CodebookNetwork

KNOWN_CHANNELS = 4  # three colours, and 1 where they are known


class ConditionalDecoder(nn.Module):
    """The stages of a tokenizer's decoder, with features of the known pixels blended in after each but the last.

    Where everything is hidden, nothing is blended in: the same weights decode without a condition. A new one has the weights of
    the tokenizer's own decoder and, where everything is hidden, its output.

    Args:
        network: the tokenizer's network, of which only the decoder is copied.
        num_blocks: residual blocks on the known pixels at the grid's resolution.
        num_pixel_blocks: residual blocks after the last blending, at full resolution; they smooth the rim of the hole.
    """

    def __init__(self, *, network: CodebookNetwork, num_blocks: int = 1, num_pixel_blocks: int = 1) -> None:
        super().__init__()
        self.arguments = {"num_blocks": num_blocks, "num_pixel_blocks": num_pixel_blocks}
        copy = type(network)(**network.arguments)
        copy.load_state_dict(network.state_dict())
        *inner, last = copy.decoder_stages()
        side = network.img_resolution
        self.stages = nn.ModuleList(stage.layers for stage in inner)
        self.readers = nn.ModuleList(
            KnownPixels(
                ratio=side // stage.resolution,
                channels=stage.channels,
                num_blocks=num_blocks if stage.resolution == network.latent_resolution else 0,
            )
            for stage in inner
        )
        self.pixel_blocks = nn.Sequential(*(_identity_block(inner[-1].channels) for _ in range(num_pixel_blocks)))
        self.last = last.layers

    @property
    def last_layer(self) -> Tensor:
        """Weight of the last convolution, which an adversarial loss is weighed at."""
        return next(p for name, p in reversed(list(self.last.named_parameters())) if name.endswith("weight"))

    def forward(self, latents: Tensor, images: Tensor, holes: Tensor) -> Tensor:
        """Decode.

        Args:
            latents: (B, latent_dim, h, w) of the tokens, quantised.
            images: (B, 3, H, W) normalised; pixels under the holes have no influence.
            holes: (B, H, W) bool, True = hidden.

        Returns:
            (B, 3, H, W) normalised, not clamped.
        """
        hidden = holes[:, None].to(images.dtype)
        known = torch.cat([images.masked_fill(holes[:, None], 0.0), 1 - hidden], 1)
        x = latents
        for stage, reader in zip(self.stages, self.readers, strict=True):
            x = stage(x)
            # the share of a cell that is hidden, not its nearest pixel: most cells of a hole are only touched by it
            share = F.avg_pool2d(hidden, hidden.shape[-1] // x.shape[-1])
            x = torch.lerp(reader(known), x, share.to(x.dtype))
        return self.last(self.pixel_blocks(x))


class KnownPixels(nn.Sequential):
    """Features (B, channels, H / ratio, W / ratio) of the known pixels (B, 4, H, W)."""

    def __init__(self, *, ratio: int, channels: int, num_blocks: int) -> None:
        super().__init__(
            nn.PixelUnshuffle(ratio),
            nn.Conv2d(KNOWN_CHANNELS * ratio**2, channels, 3, padding=1),
            *(GridBlock(channels=channels) for _ in range(num_blocks)),
        )


def _identity_block(channels: int) -> GridBlock:
    """Return a residual block that changes nothing at first."""
    block = GridBlock(channels=channels)
    nn.init.zeros_(block.conv2.weight)
    assert block.conv2.bias is not None
    nn.init.zeros_(block.conv2.bias)
    return block
