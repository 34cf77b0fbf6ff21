"""Building blocks of the lab's VQGAN.

Attribute names (`gn`, `block`, `channel_up`, `proj_out`, `conv`) are the keys of the lab's checkpoints, so that they load strictly.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F

NUM_GROUPS = 32
GROUP_NORM_EPS = 1e-6


class GroupNorm(nn.Sequential):
    """Group normalisation in 32 groups, or one per channel below 32 channels."""

    def __init__(self, *, channels: int) -> None:
        groups = min(NUM_GROUPS, channels)
        if channels % groups:
            raise ValueError(
                f"tokenizer.model channels must be at most {NUM_GROUPS} or a multiple of it (GroupNorm), got {channels}"
            )
        super().__init__(OrderedDict(gn=nn.GroupNorm(groups, channels, eps=GROUP_NORM_EPS)))


class ResBlock(nn.Module):
    """Two 3x3 convolutions with a residual, 1x1 on the residual where the channels change."""

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            GroupNorm(channels=in_channels),
            nn.SiLU(),
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            GroupNorm(channels=out_channels),
            nn.SiLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        self.changes_channels = in_channels != out_channels
        if self.changes_channels:
            self.channel_up = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, h, w) to (B, out_channels, h, w)."""
        return (self.channel_up(x) if self.changes_channels else x) + self.block(x)


class AttentionBlock(nn.Module):
    """Self-attention over all positions: one head, scale c^-0.5, with a residual."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.norm = GroupNorm(channels=channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        normed = self.norm(x)
        # (B, 1, h * w, C) each; the function's own scale is C^-0.5
        q, k, v = (layer(normed).flatten(2).transpose(1, 2).unsqueeze(1) for layer in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + self.proj_out(mixed.squeeze(1).transpose(1, 2).reshape(x.shape))


class Downsample(nn.Sequential):
    """Map (B, C, h, w) to (B, C, h / 2, w / 2): a 3x3 convolution with stride 2, padded on the right and below only."""

    def __init__(self, *, channels: int) -> None:
        super().__init__(OrderedDict(pad=nn.ZeroPad2d((0, 1, 0, 1)), conv=nn.Conv2d(channels, channels, 3, stride=2)))


class Upsample(nn.Sequential):
    """Map (B, C, h, w) to (B, C, 2 h, 2 w): nearest neighbour, then a 3x3 convolution."""

    def __init__(self, *, channels: int) -> None:
        super().__init__(OrderedDict(larger=nn.Upsample(scale_factor=2.0), conv=nn.Conv2d(channels, channels, 3, padding=1)))
