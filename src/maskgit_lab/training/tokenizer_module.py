"""Stage 1 as a LightningModule: train a VQGAN to reconstruct images through its codebook.

Optimisation is always manual, with or without a discriminator, so that there is one code path. Only the tokenizer's steps count as
`global_step`, so `max_steps` means its updates.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import lightning as L
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.models.discriminator import adaptive_weight, discriminator_hinge_loss, generator_hinge_loss
from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.vqgan import VQGAN
from maskgit_lab.training.codebook_revival import CodebookRevival
from maskgit_lab.training.optim import AdamSettings

Batch = Tensor | dict[str, Tensor]


class TokenizerModule(L.LightningModule):
    """Train a tokenizer on images, on one device.

    A batch is `{"images": uint8 (B, H, W, 3)}`, such a tensor, or float images (B, 3, H, W) in [0, 1].

    Args:
        model: the tokenizer.
        mean: per channel, of pixel values in [0, 1]; the network sees (pixels - mean) / std.
        std: per channel.
        lr: of Adam, at its highest.
        total_steps: length of the learning rate's cosine decay.
        matrix_lr: of the tokenizer's weight matrices, which Muon updates then; None = Adam for all.
        betas: of Adam.
        warmup_steps: of the learning rate, linear.
        gradient_clip: largest norm of the tokenizer's gradient.
        perceptual: distance of two batches of images in [0, 1]; stays out of the checkpoint.
        perceptual_weight: its weight next to the L1 distance of normalised pixels.
        discriminator: of normalised images; None = no adversarial loss.
        gan_start_step: no discriminator and no loss of it before this step.
        gan_weight: pull of the adversarial loss on the last layer, as a share of the reconstruction's.
        revive_after_steps: see CodebookRevival; 0 = the lab's uniform start and no revival.
        seed: of the revival's choices.
    """

    def __init__(
        self,
        *,
        model: VQGAN | PatchVQGAN,
        mean: Sequence[float],
        std: Sequence[float],
        lr: float,
        total_steps: int,
        matrix_lr: float | None = None,
        betas: tuple[float, float] = (0.9, 0.99),
        warmup_steps: int = 0,
        gradient_clip: float = 1.0,
        perceptual: nn.Module | None = None,
        perceptual_weight: float = 1.0,
        discriminator: nn.Module | None = None,
        gan_start_step: int = 0,
        gan_weight: float = 0.8,
        revive_after_steps: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if total_steps < 1:
            raise ValueError(f"tokenizer.training: the number of steps must be at least 1, got {total_steps}")
        self.automatic_optimization = False
        self.model = model
        self.discriminator = discriminator
        # in a tuple: frozen weights do not belong in the checkpoint or the optimiser
        self.perceptual = (perceptual,) if perceptual is not None and perceptual_weight else ()
        self.perceptual_weight = perceptual_weight
        self.gan_start_step = gan_start_step
        self.gan_weight = gan_weight
        self.gradient_clip = gradient_clip
        self.total_steps = total_steps
        self.optimizer_settings = AdamSettings(lr=lr, matrix_lr=matrix_lr, betas=(betas[0], betas[1]), warmup_steps=warmup_steps)
        self.revival = CodebookRevival(num_codebook_vectors=model.num_codebook_vectors, after_steps=revive_after_steps, seed=seed)
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(1, -1, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def setup(self, stage: str) -> None:
        """Refuse several devices, whose codebooks would drift apart; move the perceptual network."""
        if self.trainer.world_size > 1:
            raise ValueError(f"stage 1 trains on one device, got {self.trainer.world_size}: set trainer.devices=1")
        for perceptual in self.perceptual:
            perceptual.to(self.device)

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
            with torch.no_grad():
                self.revival.move(self.model.codebook, self.model.codebook.latents(self.model.features(images)), step)
        output = self.model(images)
        fake = output.images.float()
        self.revival.observe(output.tokens, step)
        distance = F.l1_loss(fake, images)
        self.log("train/loss_rec", distance.detach(), prog_bar=True)
        for perceptual in self.perceptual:
            term = perceptual(self.pixels(fake).clamp(0, 1), self.pixels(images))
            self.log("train/loss_perceptual", term.detach())
            distance = distance + self.perceptual_weight * term
        loss = distance + output.codebook_loss
        adversarial = self.discriminator is not None and step >= self.gan_start_step
        if adversarial:
            loss = loss + self._gan_term(distance, fake)
        self._update(loss)
        if adversarial:
            self._update_discriminator(images, fake.detach())
        self.log("train/loss", loss.detach())
        self._log_codebook(output.tokens, step)

    def _gan_term(self, distance: Tensor, fake: Tensor) -> Tensor:
        assert self.discriminator is not None
        self.discriminator.requires_grad_(False)
        gan_loss = generator_hinge_loss(self.discriminator(fake))
        self.discriminator.requires_grad_(True)
        weight = adaptive_weight(distance, gan_loss, self.model.last_layer, scale=self.gan_weight)
        self.log("train/loss_gan", gan_loss.detach())
        self.log("train/gan_weight", weight)
        return weight * gan_loss

    def _update(self, loss: Tensor) -> None:
        optimizer = self._optimizers()[0]
        optimizer.zero_grad()
        self.manual_backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.gradient_clip)
        optimizer.step()
        self._schedulers()[0].step()

    def _update_discriminator(self, real: Tensor, fake: Tensor) -> None:
        assert self.discriminator is not None
        loss = discriminator_hinge_loss(self.discriminator(real), self.discriminator(fake))
        # the bare optimiser: Lightning would count the wrapped one's step as a global step
        optimizer = self._optimizers()[1].optimizer
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self._schedulers()[1].step()
        self.log("train/loss_discriminator", loss.detach())

    def _optimizers(self) -> list[LightningOptimizer]:
        found = self.optimizers()
        return found if isinstance(found, list) else [found]

    def _schedulers(self) -> list[Any]:
        found = self.lr_schedulers()
        return found if isinstance(found, list) else [found]

    def _log_codebook(self, tokens: Tensor, step: int) -> None:
        share = torch.bincount(tokens.flatten(), minlength=self.model.num_codebook_vectors).float() / tokens.numel()
        self.log("train/perplexity", torch.special.entr(share).sum().exp())
        self.log("train/codebook_usage", self.revival.usage(step))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the mean over images of their PSNR in dB, of 8-bit-range pixels clamped to [0, 1], and the L1 distance."""
        images = self.normalised(batch)
        fake = self.model(images).images.float()
        error = (self.pixels(fake).clamp(0, 1) - self.pixels(images)).square().flatten(1).mean(1)
        psnr = -10 * error.clamp_min(1e-10).log10().mean()
        self.log("val/psnr", psnr, prog_bar=True, batch_size=len(images))
        self.log("val/loss_rec", F.l1_loss(fake, images), batch_size=len(images))

    def configure_optimizers(self) -> Any:
        """Build the tokenizer's optimiser and, if there is one, the discriminator's, whose schedule begins at `gan_start_step`."""
        pairs = [self.optimizer_settings.build(self.model, lambda: self.total_steps)]
        if self.discriminator is not None:
            steps = self.total_steps - self.gan_start_step
            adam = replace(self.optimizer_settings, matrix_lr=None)
            pairs.append(adam.build(self.discriminator, lambda: steps))
        return [optimizer for optimizer, _ in pairs], [scheduler for _, scheduler in pairs]
