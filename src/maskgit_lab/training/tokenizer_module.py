"""Stage 1 as a LightningModule: train a VQGAN to reconstruct images through its codebook."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.vqgan import VQGAN
from maskgit_lab.training.codebook_revival import CodebookRevival
from maskgit_lab.training.divergence import DivergedError
from maskgit_lab.training.stage_module import StageModule, StageSettings

# what helps when the loss is not finite
REMEDIES = "a lower tokenizer.training.lr (and tokenizer.training.matrix_lr), more tokenizer.training.warmup_steps"
Batch = Tensor | dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class TokenizerSettings(StageSettings):
    """How a tokenizer is trained."""

    revive_after_steps: int = 0  # see CodebookRevival; 0 = the lab's uniform start and no revival

    def __post_init__(self) -> None:
        if self.total_steps < 1:
            raise ValueError(f"tokenizer.training: the number of steps must be at least 1, got {self.total_steps}")


class TokenizerModule(StageModule):
    """Train a tokenizer on images, on one device.

    A batch is `{"images": uint8 (B, H, W, 3)}`, such a tensor, or float images (B, 3, H, W) in [0, 1].

    Args:
        model: the tokenizer.
        mean: per channel, of pixel values in [0, 1]; the network sees (pixels - mean) / std.
        std: per channel.
        perceptual: distance of two batches of images in [0, 1]; stays out of the checkpoint.
        discriminator: of normalised images; None = no adversarial loss.
        **settings: fields of TokenizerSettings.
    """

    def __init__(
        self,
        *,
        model: VQGAN | PatchVQGAN,
        mean: Sequence[float],
        std: Sequence[float],
        perceptual: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        **settings: Any,
    ) -> None:
        own = TokenizerSettings(**settings)
        super().__init__(own, stage="stage 1", keys=REMEDIES, perceptual=perceptual, discriminator=discriminator)
        self.settings = own
        self.model = model
        self.begin(model)
        self.revival = CodebookRevival(
            num_codebook_vectors=model.num_codebook_vectors, after_steps=own.revive_after_steps, seed=own.seed
        )
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(1, -1, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    @property
    def best_model(self) -> VQGAN | PatchVQGAN:
        """The averaged tokenizer where there is one, else the trained one."""
        network: VQGAN | PatchVQGAN = self.model if self.average is None else self.average.network
        return network

    def setup(self, stage: str) -> None:
        """Refuse several devices, whose codebooks would drift apart; move the perceptual network."""
        if self.trainer.world_size > 1:
            raise ValueError(f"stage 1 trains on one device, got {self.trainer.world_size}: set trainer.devices=1")
        for perceptual in self.perceptual:
            perceptual.to(self.trainer.strategy.root_device)  # this module follows only after this hook

    def normalised(self, batch: Batch) -> Tensor:
        """Return the network's input (B, 3, H, W) float32 of a batch."""
        images = batch["images"] if isinstance(batch, dict) else batch
        if images.dtype == torch.uint8:
            images = images.permute(0, 3, 1, 2).float() / 255
        return (images - self.mean) / self.std

    def pixels(self, images: Tensor) -> Tensor:
        """Return images in about [0, 1], not clamped, of the network's output."""
        return images.float() * self.std + self.mean

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Update the tokenizer once and, from `gan_start_step` on, the discriminator once."""
        images, step = self.normalised(batch), self.global_step
        if self.revival.due(step):
            self._revive(images, step)
        output = self.model(images)
        fake = output.images.float()
        self.revival.observe(output.tokens, step)
        distance = F.l1_loss(fake, images)
        self.log("train/loss_rec", distance.detach(), prog_bar=True)
        if (term := self.perceived(self.pixels(fake).clamp(0, 1), self.pixels(images), step)) is not None:
            self.log("train/loss_perceptual", term.detach())
            distance = distance + self.settings.perceptual_weight * term
        loss = distance + output.codebook_loss
        self.update(loss, step, distance=distance, real=images, made=fake, last_layer=self.model.last_layer)
        self._log_codebook(output.tokens, step)

    def _revive(self, images: Tensor, step: int) -> None:
        codes = self.model.codebook.embedding.weight
        before = codes.detach().clone()
        with torch.no_grad():
            self.revival.move(self.model.codebook, self.model.codebook.latents(self.model.features(images)), step)
            if self.average is not None:  # between an entry's old place and its new one there is nothing
                moved = (codes != before).any(1)
                self.average.network.codebook.embedding.weight[moved] = codes[moved]

    def _log_codebook(self, tokens: Tensor, step: int) -> None:
        share = torch.bincount(tokens.flatten(), minlength=self.model.num_codebook_vectors).float() / tokens.numel()
        self.log("train/perplexity", torch.special.entr(share).sum().exp())
        self.log("train/codebook_usage", self.revival.usage(step))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the mean over images of their PSNR in dB, of 8-bit-range pixels clamped to [0, 1], and the L1 distance."""
        images = self.normalised(batch)
        fake = self.best_model(images).images.float()
        error = (self.pixels(fake).clamp(0, 1) - self.pixels(images)).square().flatten(1).mean(1)
        psnr = -10 * error.clamp_min(1e-10).log10().mean()
        if not bool(psnr.isfinite()):
            raise DivergedError(f"val/psnr of stage 1 is not finite at step {self.global_step}: stopped. Try {REMEDIES}")
        self.log("val/psnr", psnr, prog_bar=True, batch_size=len(images))
        self.log("val/loss_rec", F.l1_loss(fake, images), batch_size=len(images))
