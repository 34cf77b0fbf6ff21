"""The adversarial part of stage 1 and of the decoder stage: a discriminator, its losses and its optimiser.

Every draw is a function of (seed, step), and the running means are in the checkpoint: a resumed stage equals an uninterrupted one.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from maskgit_lab.core.randomness import generator
from maskgit_lab.models.diff_augment import diff_augment
from maskgit_lab.models.discriminator import (
    adaptive_weight,
    discriminator_hinge_loss,
    generator_hinge_loss,
    gradient_penalty,
    lecam_penalty,
)
from maskgit_lab.training.optim import AdamSettings

LECAM_DECAY = 0.99


@dataclass(frozen=True, kw_only=True)
class AdversarySettings:
    """How a discriminator is used and trained."""

    gan_start_step: int = 0  # no discriminator and no loss of it before this step
    gan_weight: float = (
        0.8  # of the adversarial loss; with gan_adaptive its pull on the last layer, as a share of the reconstruction's
    )
    gan_adaptive: bool = True  # False = gan_weight is the weight itself
    gan_lr: float | None = None  # of the discriminator; None = the generator's
    gan_augment: bool = False  # see diff_augment
    lecam_weight: float = 0.0  # see lecam_penalty
    r1_weight: float = 0.0  # see gradient_penalty


class Adversary(nn.Module):
    """A discriminator and what is remembered for it.

    Args:
        discriminator: of normalised images.
        settings: how it is used.
        seed: of the augmentation.
    """

    def __init__(self, discriminator: nn.Module, settings: AdversarySettings, *, seed: int) -> None:
        super().__init__()
        self.discriminator, self.settings, self.seed = discriminator, settings, seed
        self.register_buffer("means", torch.zeros(2))  # of the logits on real and on made images, running
        self.means: Tensor

    def active(self, step: int) -> bool:
        """Say whether the discriminator takes part in a step."""
        return step >= self.settings.gan_start_step

    def generator_term(self, distance: Tensor, made: Tensor, last_layer: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss that makes images look real, weighted, and what to log.

        Args:
            distance: the reconstruction's loss, whose graph is kept; for the adaptive weight.
            made: (B, 3, H, W) normalised images.
            last_layer: weight of the generator's last convolution; for the adaptive weight.
            step: number of the update.

        Returns:
            A scalar, and named scalars without gradient.
        """
        own = self.settings
        self.discriminator.requires_grad_(False)
        loss = generator_hinge_loss(self._logits(made, step, "made for the generator"))
        self.discriminator.requires_grad_(True)
        weight = (
            adaptive_weight(distance, loss, last_layer, scale=own.gan_weight)
            if own.gan_adaptive
            else loss.new_tensor(own.gan_weight)
        )
        return weight * loss, {"train/loss_gan": loss.detach(), "train/gan_weight": weight}

    def discriminator_loss(self, real: Tensor, made: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the discriminator's loss on real and made images (B, 3, H, W), without gradient to either, and what to log."""
        own = self.settings
        real = real.detach().requires_grad_(own.r1_weight > 0)
        on_real, on_made = self._logits(real, step, "real"), self._logits(made.detach(), step, "made")
        loss = discriminator_hinge_loss(on_real, on_made)
        logged = {"train/loss_discriminator": loss.detach()}
        if own.lecam_weight:
            mean_real, mean_made = self.means.clone()
            loss = loss + own.lecam_weight * lecam_penalty(on_real, on_made, mean_real=mean_real, mean_fake=mean_made)
            now = torch.stack([on_real.detach().float().mean(), on_made.detach().float().mean()])
            self.means.lerp_(now, 1 - LECAM_DECAY)
        if own.r1_weight:
            penalty = gradient_penalty(on_real, real)
            loss = loss + own.r1_weight * penalty
            logged["train/loss_r1"] = penalty.detach()
        return loss, logged

    def optimizer(self, adam: AdamSettings, total_steps: int) -> tuple[torch.optim.Optimizer, LambdaLR]:
        """Build Adam for the discriminator, as for the generator but for `gan_lr`; its schedule begins at `gan_start_step`."""
        own = self.settings
        adam = replace(adam, matrix_lr=None, lr=adam.lr if own.gan_lr is None else own.gan_lr)
        return adam.build(self.discriminator, lambda: total_steps - own.gan_start_step)

    def _logits(self, images: Tensor, step: int, stream: str) -> Tensor:
        if self.settings.gan_augment:
            images = diff_augment(images, generator(self.seed, f"augment/{stream}", step))
        logits: Tensor = self.discriminator(images)
        return logits
