"""What stage 1 and the decoder stage share in Lightning: a network that makes images, its update, a discriminator beside it.

Optimisation is always manual, with or without a discriminator, so that there is one code path. Only the network's steps count as
`global_step`, so `max_steps` means its updates.
"""

from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from maskgit_lab.core.randomness import generator
from maskgit_lab.training.adversary import Adversary, AdversarySettings
from maskgit_lab.training.divergence import DivergenceGuard, gradient_norm, require_finite_weights
from maskgit_lab.training.optim import AdamSettings
from maskgit_lab.training.weight_average import WeightAverage


@dataclass(frozen=True, kw_only=True)
class StageSettings(AdversarySettings):
    """How a network that makes images is trained."""

    lr: float  # of Adam, at its highest
    total_steps: int  # length of the learning rate's cosine decay
    matrix_lr: float | None = None  # of the network's weight matrices, which Muon updates then; None = Adam for all
    betas: tuple[float, float] = (0.9, 0.99)  # of Adam
    warmup_steps: int = 0  # of the learning rate, linear
    gradient_clip: float = 1.0  # largest norm of the network's gradient
    perceptual_weight: float = 1.0  # of the perceptual distance next to the L1 distance of normalised pixels
    perceptual_shift: int = 0  # pixels: see StageModule.perceived; runs from before the key have none
    ema_decay: float = 0.0  # of the averaged weights, which are what is kept; 0 = the trained ones
    seed: int = 0  # of every draw


class StageModule(L.LightningModule):
    """Train a network on one device; the subclass says by what loss.

    Args:
        settings: how.
        stage: its name in messages.
        keys: what helps when the loss is not finite.
        perceptual: distance of two batches of images in [0, 1]; stays out of the checkpoint.
        discriminator: of normalised images; None = no adversarial loss.
    """

    def __init__(
        self, settings: StageSettings, *, stage: str, keys: str, perceptual: nn.Module | None, discriminator: nn.Module | None
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.own = settings
        self.divergence = DivergenceGuard(stage=stage, keys=keys)
        # in a tuple: frozen weights do not belong in the checkpoint or the optimiser
        self.perceptual = (perceptual,) if perceptual is not None and settings.perceptual_weight else ()
        self.adversary = Adversary(discriminator, settings, seed=settings.seed) if discriminator is not None else None
        self.average: WeightAverage[Any] | None = None
        first, second = settings.betas
        self.adam = AdamSettings(
            lr=settings.lr, matrix_lr=settings.matrix_lr, betas=(first, second), warmup_steps=settings.warmup_steps
        )

    def begin(self, network: nn.Module) -> None:
        """Take the network that is trained: its average starts here."""
        self.trained = (network,)  # in a tuple: the subclass registers it, under its own name
        if self.own.ema_decay:
            self.average = WeightAverage(network, decay=self.own.ema_decay)

    def perceived(self, made: Tensor, real: Tensor, step: int) -> Tensor | None:
        """Measure the perceptual distance of two batches of images.

        Both are moved by the same 0 to `perceptual_shift` pixels down and to the right, anew in every step: what leaves on one side
        comes in on the other. A network of strided layers does not see a pattern as wide as its strides, so without it the images
        that are made get one: a grid of 4 pixels with SqueezeNet.

        Args:
            made: (B, 3, H, W) in about [0, 1].
            real: of the same shape.
            step: number of the update.

        Returns:
            A scalar; None where there is no such loss.
        """
        if not self.perceptual:
            return None
        if most := self.own.perceptual_shift:
            down, right = torch.randint(most + 1, (2,), generator=generator(self.own.seed, "perceptual shift", step)).tolist()
            made, real = (images.roll((down, right), (2, 3)) for images in (made, real))
        (perceptual,) = self.perceptual
        distance: Tensor = perceptual(made, real)
        return distance

    def update(self, loss: Tensor, step: int, *, distance: Tensor, real: Tensor, made: Tensor, last_layer: Tensor) -> None:
        """Update the network once and, where there is one and its time has come, the discriminator once.

        Args:
            loss: without the adversarial one.
            step: number of the update, from 0.
            distance: the part of the loss that the adversarial one is weighed against.
            real: (B, 3, H, W) normalised images.
            made: (B, 3, H, W) normalised images of the network.
            last_layer: weight of the network's last convolution.
        """
        adversary = self.adversary if self.adversary is not None and self.adversary.active(step) else None
        if adversary is not None:
            term, logged = adversary.generator_term(distance, made, last_layer, step)
            loss = loss + term
            self.log_dict(logged)
        optimizer = _listed(self.optimizers())[0]
        self.divergence.watch(loss, f"step {step} (from 0), learning rate {optimizer.param_groups[0]['lr']:.3g}")
        optimizer.zero_grad()
        self.manual_backward(loss)
        (network,) = self.trained
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.own.gradient_clip)
        self.divergence.protect(optimizer.optimizer, norm)
        optimizer.step()
        _listed(self.lr_schedulers())[0].step()
        if self.average is not None:
            self.average.update(network, step)
        if adversary is not None:
            self._update_discriminator(adversary, real, made, step)
        self.log("train/loss", loss.detach())

    def _update_discriminator(self, adversary: Adversary, real: Tensor, made: Tensor, step: int) -> None:
        loss, logged = adversary.discriminator_loss(real, made, step)
        # the bare optimiser: Lightning would count the wrapped one's step as a global step
        optimizer = _listed(self.optimizers())[1].optimizer
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.divergence.protect(optimizer, gradient_norm(adversary.discriminator.parameters()))
        optimizer.step()
        _listed(self.lr_schedulers())[1].step()
        self.log_dict(logged)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop after the first batch whose loss is not finite; its update was left out."""
        self.divergence.look(now=self.trainer.is_last_batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that are not finite."""
        require_finite_weights(checkpoint["state_dict"], "no checkpoint is written")

    def configure_optimizers(self) -> Any:
        """Build the network's optimiser and, if there is one, the discriminator's."""
        (network,), steps = self.trained, self.own.total_steps
        pairs = [self.adam.build(network, lambda: steps)]
        if self.adversary is not None:
            pairs.append(self.adversary.optimizer(self.adam, steps))
        return [optimizer for optimizer, _ in pairs], [scheduler for _, scheduler in pairs]


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]
