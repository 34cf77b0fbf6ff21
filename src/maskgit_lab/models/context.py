"""What the known pixels say, per cell of the token grid: the context that is added to the token embeddings.

Most hidden tokens lie in cells that the hole only touches, so the tokens throw away pixels that are known. Reading those
pixels through a few convolutions gives them back, and lets fur and outlines continue across the hole's edge.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DILATIONS = (1, 2, 4)  # cells; in turn they see across the widest holes


class ConvBlock(nn.Module):
    """Residual 3x3 convolutions at the grid's resolution."""

    def __init__(self, *, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(torch.as_tensor(self.conv2.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, grid, grid) to the same shape."""
        return x + self.conv2(F.gelu(self.conv1(self.norm(x))))


class PixelContext(nn.Module):
    """Turn known pixels and the hole into one vector per token cell.

    Args:
        dim: width of the transformer.
        grid: cells per side of the token grid.
        resolution: pixels per side, a multiple of grid.
        channels: width of the convolutions.
        num_blocks: residual blocks; dilations 1, 2, 4 in turn.
    """

    def __init__(self, *, dim: int, grid: int, resolution: int, channels: int = 96, num_blocks: int = 3) -> None:
        super().__init__()
        if resolution % grid:
            raise ValueError(f"data.resolution ({resolution}) must be a multiple of the token grid ({grid})")
        self.cell = resolution // grid
        self.stem = nn.Conv2d(4 * self.cell**2, channels, 3, padding=1)
        self.blocks = nn.Sequential(
            *(ConvBlock(channels=channels, dilation=DILATIONS[i % len(DILATIONS)]) for i in range(num_blocks))
        )
        self.out = nn.Conv2d(channels, dim, 1)
        nn.init.trunc_normal_(self.out.weight, std=0.02)

    def forward(self, images: Tensor, holes: Tensor) -> Tensor:
        """Return the context.

        Args:
            images: (B, 3, H, W) float in [0, 1]; pixels under the hole have no influence.
            holes: (B, H, W) bool, True = hole.

        Returns:
            (B, N, dim), row by row.
        """
        hole = holes[:, None].to(images.dtype)
        known = (2 * images - 1).masked_fill(holes[:, None], 0.0)
        cells = F.pixel_unshuffle(torch.cat([known, hole], dim=1), self.cell)
        cells = cells.contiguous(memory_format=torch.channels_last)  # the convolutions are a third faster on a CPU
        return self.out(self.blocks(self.stem(cells))).flatten(2).transpose(1, 2)
