"""A VQGAN that is fast on two cores: pixels are unshuffled into cells first, and all convolutions but the last run on the grid."""

from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.models.codebook import Codebook
from maskgit_lab.models.vqgan import CodebookNetwork, DecoderStage


class GridBlock(nn.Module):
    """Residual block at the grid's resolution."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(min(8, channels), channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to the same shape."""
        return x + self.conv2(F.silu(self.conv1(F.silu(self.norm(x)))))


class PatchVQGAN(CodebookNetwork):
    """The lab VQGAN's interface on a patch stem.

    Args:
        image_channels: 3.
        patch_size: pixels per side of a cell.
        channels: width on the grid.
        num_blocks: residual blocks in the encoder, and in the decoder unless the next is given.
        latent_dim: dimensions of a code; codes have unit length.
        img_resolution: pixels per side, a multiple of patch_size.
        num_codebook_vectors: codes.
        beta: weight of the codebook term.
        pixel_channels: width of the last layers, which run at full resolution and hide the cells' borders.
        num_decoder_blocks: residual blocks in the decoder; None = num_blocks.
    """

    CPU_BATCH = 32
    decoder: nn.Sequential

    def __init__(
        self,
        *,
        image_channels: int = 3,
        patch_size: int = 4,
        channels: int,
        num_blocks: int,
        latent_dim: int,
        img_resolution: int,
        num_codebook_vectors: int,
        beta: float,
        pixel_channels: int = 16,
        num_decoder_blocks: int | None = None,
    ) -> None:
        if img_resolution % patch_size:
            raise ValueError(f"tokenizer.model.img_resolution ({img_resolution}) must be a multiple of patch_size ({patch_size})")
        super().__init__(
            img_resolution=img_resolution, latent_resolution=img_resolution // patch_size, num_codebook_vectors=num_codebook_vectors
        )
        self.arguments = {
            "image_channels": image_channels, "patch_size": patch_size, "channels": channels, "num_blocks": num_blocks,
            "latent_dim": latent_dim, "img_resolution": img_resolution, "num_codebook_vectors": num_codebook_vectors,
            "beta": beta, "pixel_channels": pixel_channels, "num_decoder_blocks": num_decoder_blocks,
        }  # fmt: skip
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(patch_size),
            nn.Conv2d(image_channels * patch_size**2, channels, 3, padding=1),
            *(GridBlock(channels=channels) for _ in range(num_blocks)),
            nn.GroupNorm(min(8, channels), channels),
            nn.SiLU(),
            nn.Conv2d(channels, latent_dim, 1),
        )
        self.codebook = Codebook(num_codebook_vectors=num_codebook_vectors, latent_dim=latent_dim, beta=beta, normalize=True)
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_dim, channels, 3, padding=1),
            *(GridBlock(channels=channels) for _ in range(num_blocks if num_decoder_blocks is None else num_decoder_blocks)),
            nn.GroupNorm(min(8, channels), channels),
            nn.SiLU(),
            nn.Conv2d(channels, pixel_channels * patch_size**2, 1),
            nn.PixelShuffle(patch_size),
            nn.SiLU(),
            nn.Conv2d(pixel_channels, image_channels, 3, padding=1),
        )

    def decoder_stages(self) -> list[DecoderStage]:
        """Cut after the first convolution on the grid and before the last one, at full resolution."""
        first, *middle, last = self.decoder
        channels, pixel_channels = self.arguments["channels"], self.arguments["pixel_channels"]
        return [
            DecoderStage(nn.Sequential(first), channels, self.latent_resolution),
            DecoderStage(nn.Sequential(*middle), pixel_channels, self.img_resolution),
            DecoderStage(nn.Sequential(last), self.arguments["image_channels"], self.img_resolution),
        ]
