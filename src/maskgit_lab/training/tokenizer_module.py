"""Stage 1 as a LightningModule: train a VQGAN to reconstruct images through its codebook.

Optimisation is always manual, with or without a discriminator, so that there is one code path. Only the tokenizer's steps count as
`global_step`, so `max_steps` means its updates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.models.discriminator import adaptive_weight, discriminator_hinge_loss, generator_hinge_loss
from maskgit_lab.models.patch_vqgan import PatchVQGAN
from maskgit_lab.models.vqgan import VQGAN
from maskgit_lab.training.codebook_revival import CodebookRevival
from maskgit_lab.training.divergence import DivergedError, DivergenceGuard, gradient_norm, require_finite_weights
from maskgit_lab.training.optim import AdamSettings
from maskgit_lab.training.weight_average import WeightAverage

# what helps when the loss is not finite
REMEDIES = "a lower tokenizer.training.lr (and tokenizer.training.matrix_lr), more tokenizer.training.warmup_steps"
Batch = Tensor | dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class TokenizerSettings:
    """How a tokenizer is trained."""

    lr: float  # of Adam, at its highest
    total_steps: int  # length of the learning rate's cosine decay
    matrix_lr: float | None = None  # of the tokenizer's weight matrices, which Muon updates then; None = Adam for all
    betas: tuple[float, float] = (0.9, 0.99)  # of Adam
    warmup_steps: int = 0  # of the learning rate, linear
    gradient_clip: float = 1.0  # largest norm of the tokenizer's gradient
    perceptual_weight: float = 1.0  # of the perceptual distance next to the L1 distance of normalised pixels
    gan_start_step: int = 0  # no discriminator and no loss of it before this step
    gan_weight: float = 0.8  # pull of the adversarial loss on the last layer, as a share of the reconstruction's
    revive_after_steps: int = 0  # see CodebookRevival; 0 = the lab's uniform start and no revival
    ema_decay: float = 0.0  # of the averaged weights, which are what is kept; 0 = the trained ones
    seed: int = 0  # of the revival's choices

    def __post_init__(self) -> None:
        if self.total_steps < 1:
            raise ValueError(f"tokenizer.training: the number of steps must be at least 1, got {self.total_steps}")


class TokenizerModule(L.LightningModule):
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
        super().__init__()
        self.settings = own = TokenizerSettings(**settings)
        self.automatic_optimization = False
        self.divergence = DivergenceGuard(stage="stage 1", keys=REMEDIES)
        self.model = model
        self.average = WeightAverage(model, decay=own.ema_decay) if own.ema_decay else None
        self.discriminator = discriminator
        # in a tuple: frozen weights do not belong in the checkpoint or the optimiser
        self.perceptual = (perceptual,) if perceptual is not None and own.perceptual_weight else ()
        first, second = own.betas
        self.adam = AdamSettings(lr=own.lr, matrix_lr=own.matrix_lr, betas=(first, second), warmup_steps=own.warmup_steps)
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
        return self.model if self.average is None else self.average.network

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
        for perceptual in self.perceptual:
            term = perceptual(self.pixels(fake).clamp(0, 1), self.pixels(images))
            self.log("train/loss_perceptual", term.detach())
            distance = distance + self.settings.perceptual_weight * term
        loss = distance + output.codebook_loss
        adversarial = self.discriminator is not None and step >= self.settings.gan_start_step
        if adversarial:
            loss = loss + self._gan_term(distance, fake)
        self.divergence.watch(
            loss, f"step {step} (from 0), learning rate {_listed(self.optimizers())[0].param_groups[0]['lr']:.3g}"
        )
        self._update(loss)
        if self.average is not None:
            self.average.update(self.model, step)
        if adversarial:
            self._update_discriminator(images, fake.detach())
        self.log("train/loss", loss.detach())
        self._log_codebook(output.tokens, step)

    def _revive(self, images: Tensor, step: int) -> None:
        codes = self.model.codebook.embedding.weight
        before = codes.detach().clone()
        with torch.no_grad():
            self.revival.move(self.model.codebook, self.model.codebook.latents(self.model.features(images)), step)
            if self.average is not None:  # between an entry's old place and its new one there is nothing
                moved = (codes != before).any(1)
                self.average.network.codebook.embedding.weight[moved] = codes[moved]

    def _gan_term(self, distance: Tensor, fake: Tensor) -> Tensor:
        assert self.discriminator is not None
        self.discriminator.requires_grad_(False)
        gan_loss = generator_hinge_loss(self.discriminator(fake))
        self.discriminator.requires_grad_(True)
        weight = adaptive_weight(distance, gan_loss, self.model.last_layer, scale=self.settings.gan_weight)
        self.log("train/loss_gan", gan_loss.detach())
        self.log("train/gan_weight", weight)
        return weight * gan_loss

    def _update(self, loss: Tensor) -> None:
        optimizer = _listed(self.optimizers())[0]
        optimizer.zero_grad()
        self.manual_backward(loss)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.gradient_clip)
        self.divergence.protect(optimizer.optimizer, norm)
        optimizer.step()
        _listed(self.lr_schedulers())[0].step()

    def _update_discriminator(self, real: Tensor, fake: Tensor) -> None:
        assert self.discriminator is not None
        loss = discriminator_hinge_loss(self.discriminator(real), self.discriminator(fake))
        # the bare optimiser: Lightning would count the wrapped one's step as a global step
        optimizer = _listed(self.optimizers())[1].optimizer
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.divergence.protect(optimizer, gradient_norm(self.discriminator.parameters()))
        optimizer.step()
        _listed(self.lr_schedulers())[1].step()
        self.log("train/loss_discriminator", loss.detach())

    def _log_codebook(self, tokens: Tensor, step: int) -> None:
        share = torch.bincount(tokens.flatten(), minlength=self.model.num_codebook_vectors).float() / tokens.numel()
        self.log("train/perplexity", torch.special.entr(share).sum().exp())
        self.log("train/codebook_usage", self.revival.usage(step))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Stop after the first batch whose loss is not finite; its update was left out."""
        self.divergence.look(now=self.trainer.is_last_batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that are not finite."""
        require_finite_weights(checkpoint["state_dict"], "no checkpoint is written")

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

    def configure_optimizers(self) -> Any:
        """Build the tokenizer's optimiser and, if there is one, the discriminator's, whose schedule begins at `gan_start_step`."""
        steps, steps_with_gan = self.settings.total_steps, self.settings.total_steps - self.settings.gan_start_step
        pairs = [self.adam.build(self.model, lambda: steps)]
        if self.discriminator is not None:
            pairs.append(replace(self.adam, matrix_lr=None).build(self.discriminator, lambda: steps_with_gan))
        return [optimizer for optimizer, _ in pairs], [scheduler for _, scheduler in pairs]


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]
