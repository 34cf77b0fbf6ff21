"""The lab's VQGAN: convolutional encoder, codebook, convolutional decoder (Esser et al. 2021, sizes of the lab protocol).

Modules have the lab's order and names; `lab/vqgan_state_dict.json` of the shared folder lists all 315 tensors.
"""

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from maskgit_lab.models.codebook import Codebook
from maskgit_lab.models.vqgan_blocks import AttentionBlock, Downsample, GroupNorm, ResBlock, Upsample

ENCODER_BLOCKS_PER_STAGE = 2
DECODER_BLOCKS_PER_STAGE = 3


@dataclass(frozen=True)
class Reconstruction:
    """What a tokenizer makes of images in one pass."""

    images: Tensor  # (B, 3, H, W), normalised like the input, not clamped
    codebook_loss: Tensor  # scalar
    tokens: Tensor  # (B, N) int64, row by row


@dataclass(frozen=True)
class DecoderStage:
    """Layers of a decoder up to a place where something can be added to what they make."""

    layers: nn.Sequential  # the network's own, not copies
    channels: int  # of what they make
    resolution: int  # pixels per side of what they make


class CodebookNetwork(nn.Module):
    """An encoder and a decoder of normalised images with a codebook between them; a subclass makes the three.

    Args:
        img_resolution: pixels per side.
        latent_resolution: tokens per side.
        num_codebook_vectors: codes.
    """

    CPU_BATCH: int  # images whose activations stay in a CPU's cache
    arguments: dict[str, Any]  # that make another network of the same sizes
    encoder: nn.Module
    decoder: nn.Module
    codebook: Codebook

    def __init__(self, *, img_resolution: int, latent_resolution: int, num_codebook_vectors: int) -> None:
        super().__init__()
        self.img_resolution = img_resolution
        self.latent_resolution = latent_resolution
        self.num_image_tokens = latent_resolution**2
        self.num_codebook_vectors = num_codebook_vectors

    @property
    def last_layer(self) -> Tensor:
        """The weight against which the adversarial loss is balanced."""
        return [layer for layer in self.decoder.modules() if isinstance(layer, nn.Conv2d)][-1].weight

    def features(self, images: Tensor) -> Tensor:
        """Return latents before quantisation (B, latent_dim, h, w) of normalised images (B, 3, H, W)."""
        return self.encoder(images)

    def rendered(self, latents: Tensor) -> Tensor:
        """Return normalised images (B, 3, H, W), not clamped, of quantised latents (B, latent_dim, h, w)."""
        return self.decoder(latents)

    @abstractmethod
    def decoder_stages(self) -> list[DecoderStage]:
        """Cut what `rendered` does: at the grid, at each finer resolution, and before the last layer, which makes the pixels."""

    def encode(self, images: Tensor) -> Tensor:
        """Return tokens (B, N) int64 of normalised images (B, 3, H, W)."""
        return self.codebook.nearest(self.codebook.latents(self.features(images)))

    def decode(self, tokens: Tensor) -> Tensor:
        """Return normalised images (B, 3, H, W), not clamped, of tokens (B, N)."""
        return self.rendered(self.quantised(tokens))

    def quantised(self, tokens: Tensor) -> Tensor:
        """Return the codebook's latents (B, latent_dim, h, w) of tokens (B, N)."""
        codes = self.codebook.lookup(tokens)  # (B, N, C)
        side = self.latent_resolution
        return codes.transpose(1, 2).reshape(len(tokens), -1, side, side)

    def forward(self, images: Tensor) -> Reconstruction:
        """Encode, quantise and decode normalised images (B, 3, H, W)."""
        output = self.codebook(self.features(images))
        return Reconstruction(self.rendered(output.quantized), output.loss, output.tokens)


class Encoder(nn.Sequential):
    """Images (B, 3, H, W) to latents (B, latent_dim, h, w)."""

    model: nn.Sequential

    def __init__(self, *, image_channels: int, channels: Sequence[int], latent_dim: int, num_halvings: int) -> None:
        num_stages = len(channels) - 1
        layers: list[nn.Module] = [nn.Conv2d(image_channels, channels[0], 3, padding=1)]
        width = channels[0]
        for stage in range(num_stages):
            for _ in range(ENCODER_BLOCKS_PER_STAGE):
                layers.append(ResBlock(in_channels=width, out_channels=channels[stage + 1]))
                width = channels[stage + 1]
            if changes_resolution(stage, num_stages, num_halvings):
                layers.append(Downsample(channels=width))
        layers += _middle(width)
        layers += [GroupNorm(channels=width), nn.SiLU(), nn.Conv2d(width, latent_dim, 3, padding=1)]
        super().__init__(OrderedDict(model=nn.Sequential(*layers)))


class Decoder(nn.Sequential):
    """Latents (B, latent_dim, h, w) to images (B, 3, H, W), not clamped."""

    model: nn.Sequential

    def __init__(self, *, image_channels: int, channels: Sequence[int], latent_dim: int, num_halvings: int) -> None:
        num_stages = len(channels)
        width = channels[-1]
        layers: list[nn.Module] = [nn.Conv2d(latent_dim, width, 3, padding=1), *_middle(width)]
        for stage in reversed(range(num_stages)):
            for _ in range(DECODER_BLOCKS_PER_STAGE):
                layers.append(ResBlock(in_channels=width, out_channels=channels[stage]))
                width = channels[stage]
                if stage == num_stages - 1:
                    layers.append(AttentionBlock(channels=width))
            if changes_resolution(stage, num_stages, num_halvings):
                layers.append(Upsample(channels=width))
        layers += [GroupNorm(channels=width), nn.Conv2d(width, image_channels, 3, padding=1)]
        super().__init__(OrderedDict(model=nn.Sequential(*layers)))


class VQGAN(CodebookNetwork):
    """The lab's tokenizer (lab protocol, stage 1).

    Args:
        image_channels: 3.
        enc_channels: widths of the encoder, first of the stem, then of each stage, finest first.
        dec_channels: widths of the decoder's stages, finest first.
        latent_dim: dimensions of a code.
        img_resolution: pixels per side.
        latent_resolution: tokens per side; img_resolution / latent_resolution is a power of two.
        num_codebook_vectors: codes.
        beta: weight of the codebook term of the loss.

    Raises:
        ValueError: when the resolutions do not fit each other or the stages cannot hold the halvings.
    """

    CPU_BATCH = 4
    encoder: Encoder
    decoder: Decoder

    def __init__(
        self,
        *,
        image_channels: int = 3,
        enc_channels: Sequence[int],
        dec_channels: Sequence[int],
        latent_dim: int,
        img_resolution: int,
        latent_resolution: int,
        num_codebook_vectors: int,
        beta: float,
    ) -> None:
        super().__init__(
            img_resolution=img_resolution, latent_resolution=latent_resolution, num_codebook_vectors=num_codebook_vectors
        )
        num_halvings = _num_halvings(img_resolution, latent_resolution)
        for key, num_stages in (("enc_channels", len(enc_channels) - 1), ("dec_channels", len(dec_channels))):
            if num_stages < max(1, 2 * num_halvings - 1):
                raise ValueError(f"tokenizer.model.{key} has {num_stages} stages, too few for {num_halvings} halvings")
        self.arguments = {
            "image_channels": image_channels, "enc_channels": list(enc_channels), "dec_channels": list(dec_channels),
            "latent_dim": latent_dim, "img_resolution": img_resolution, "latent_resolution": latent_resolution,
            "num_codebook_vectors": num_codebook_vectors, "beta": beta,
        }  # fmt: skip
        sizes = {"image_channels": image_channels, "latent_dim": latent_dim, "num_halvings": num_halvings}
        self.encoder = Encoder(channels=enc_channels, **sizes)
        self.decoder = Decoder(channels=dec_channels, **sizes)
        self.codebook = Codebook(num_codebook_vectors=num_codebook_vectors, latent_dim=latent_dim, beta=beta)
        self.quant_conv = nn.Conv2d(latent_dim, latent_dim, 1)
        self.post_quant_conv = nn.Conv2d(latent_dim, latent_dim, 1)

    def features(self, images: Tensor) -> Tensor:
        return self.quant_conv(self.encoder(images))

    def rendered(self, latents: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(latents))

    def decoder_stages(self) -> list[DecoderStage]:
        """Cut after the first layer on the grid, after each doubling of the resolution, and before the last layer."""
        *layers, last = [self.post_quant_conv, *self.decoder.model.children()]
        stages: list[DecoderStage] = []
        begun: list[nn.Module] = []
        resolution = self.latent_resolution
        for index, layer in enumerate(layers):
            begun.append(layer)
            doubles = isinstance(layer, Upsample)
            resolution *= 2 if doubles else 1
            if index == 1 or doubles or index == len(layers) - 1:
                norm_or_conv = [part for part in layer.modules() if isinstance(part, nn.Conv2d | nn.GroupNorm)][-1]
                channels = len(norm_or_conv.get_parameter("weight"))
                stages.append(DecoderStage(nn.Sequential(*begun), channels, resolution))
                begun = []
        return [*stages, DecoderStage(nn.Sequential(last), int(self.arguments["image_channels"]), resolution)]


def changes_resolution(stage: int, num_stages: int, num_halvings: int) -> bool:
    """Say whether the resolution changes after a stage: after the deepest and every second one above it (lab protocol)."""
    distance = num_stages - 1 - stage
    return distance % 2 == 0 and distance // 2 < num_halvings


def _middle(channels: int) -> list[nn.Module]:
    return [
        ResBlock(in_channels=channels, out_channels=channels),
        AttentionBlock(channels=channels),
        ResBlock(in_channels=channels, out_channels=channels),
    ]


def _num_halvings(img_resolution: int, latent_resolution: int) -> int:
    halvings = (img_resolution // latent_resolution).bit_length() - 1
    if latent_resolution * 2**halvings != img_resolution:
        raise ValueError(
            f"tokenizer.model.img_resolution ({img_resolution}) must be a power of two times latent_resolution, {latent_resolution}"
        )
    return halvings
