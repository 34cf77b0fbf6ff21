"""The decoder stage in Lightning: learn to paint tokens so that they continue the known pixels.

Half of each batch has holes, and tokens as they are at test time; the other half is all hidden, so that the same weights decode
without a condition. Every draw is a function of (seed, step): a resumed stage equals an uninterrupted one.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskgit_lab.core.masking import token_mask
from maskgit_lab.core.pixels import HOLE_GREY
from maskgit_lab.core.randomness import generator
from maskgit_lab.data.hole_draw import HoleDraw
from maskgit_lab.models.conditional_decoder import ConditionalDecoder
from maskgit_lab.models.tokenizer import FrozenTokenizer, require_same_tokenizer
from maskgit_lab.runs.checkpoint import TOKENIZER_KEY
from maskgit_lab.training.divergence import DivergedError
from maskgit_lab.training.stage_module import StageModule, StageSettings

REMEDIES = "a lower decoder.training.lr, more decoder.training.warmup_steps"
Batch = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class DecoderSettings(StageSettings):
    """How a conditional decoder is trained."""

    composite_weight: float = 1.0  # of both distances of the composite next to those of the whole output
    fill_steps: int = 0  # so many of the last steps see the run's own fills instead of true tokens

    def __post_init__(self) -> None:
        if self.fill_steps > self.total_steps:
            raise ValueError(f"decoder.training.fill_steps must be at most max_steps ({self.total_steps}), got {self.fill_steps}")


@dataclass(frozen=True)
class FillBank:
    """Training images with holes that the run itself has filled."""

    images: Tensor  # (n, H, W, 3) uint8, as they are under the hole too
    holes: Tensor  # (n, H, W) bool
    tokens: Tensor  # (n, N) int64


@dataclass(frozen=True)
class Given:
    """What a decoder is given in a step; in all but the first `num_conditional` images everything is hidden."""

    tokens: Tensor  # (B, N) int64
    images: Tensor  # (B, 3, H, W) normalised, the truth under the holes, which the decoder does not see
    holes: Tensor  # (B, H, W) bool
    num_conditional: int


class DecoderModule(StageModule):
    """Train a conditional decoder on one device.

    A batch is a dict: `tokens` (B, N) int64 of the images, and `images` (B, H, W, 3) uint8.

    Args:
        network: what is trained.
        tokenizer: frozen; stays out of the checkpoint, which records its sha256.
        holes: (M, H, W) bool, the bank that holes are drawn from.
        turn_holes: take each of them in eight orientations; False for own masks.
        fills: for the last `fill_steps` steps; None where there are none.
        perceptual: distance of two batches of images in [0, 1]; stays out of the checkpoint.
        discriminator: of normalised images; None = no adversarial loss.
        **settings: fields of DecoderSettings.
    """

    def __init__(
        self,
        *,
        network: ConditionalDecoder,
        tokenizer: FrozenTokenizer,
        holes: Tensor,
        turn_holes: bool = True,
        fills: FillBank | None = None,
        perceptual: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        **settings: Any,
    ) -> None:
        own = DecoderSettings(**settings)
        if own.fill_steps and fills is None:
            raise ValueError("decoder.training.fill_steps needs the fills of a run")
        super().__init__(own, stage="the decoder", keys=REMEDIES, perceptual=perceptual, discriminator=discriminator)
        self.settings = own
        self.network = network
        self.begin(network)
        self.tokenizer, self.fills, self.turn_holes = tokenizer, fills, turn_holes
        self.register_buffer("holes", holes, persistent=False)
        self.holes: Tensor

    @property
    def best_network(self) -> ConditionalDecoder:
        """The averaged network where there is one, else the trained one."""
        network: ConditionalDecoder = self.network if self.average is None else self.average.network
        return network

    def setup(self, stage: str) -> None:
        """Move the frozen networks to the device."""
        device = self.trainer.strategy.root_device
        self.tokenizer.to(device)
        for perceptual in self.perceptual:
            perceptual.to(device)

    def given(self, batch: Batch, stream: str, *counters: int, filled: bool = False) -> Given:
        """Hide half of a batch under holes and the other half wholly; `filled`: the first half comes from the run's fills."""
        images, tokens = batch["images"], batch["tokens"]
        count = (len(tokens) + 1) // 2
        noise = generator(self.settings.seed, f"decoder/{stream}", *counters)
        if filled:
            assert self.fills is not None
            pick = torch.randint(len(self.fills.tokens), (count,), generator=noise)
            own = (part[pick].to(images.device) for part in (self.fills.images, self.fills.holes, self.fills.tokens))
            shown, holes, painted = own
        else:
            shown = images[:count]
            holes = HoleDraw.of(len(self.holes), count, noise, turned=self.turn_holes).holes(self.holes)
            # as at test time: known cells are encoded beside a grey hole, hidden ones are predicted, at best as they are in truth
            hidden = token_mask(holes, grid=self.tokenizer.grid)
            painted = torch.where(hidden, tokens[:count], self.tokenizer.encode(shown.masked_fill(holes[..., None], HOLE_GREY)))
        everything = holes.new_ones((len(tokens) - count, *holes.shape[1:]))
        return Given(
            tokens=torch.cat([painted, tokens[count:]]),
            images=self.tokenizer.normalised(torch.cat([shown, images[count:]])),
            holes=torch.cat([holes, everything]),
            num_conditional=count,
        )

    def decoded(self, network: ConditionalDecoder, given: Given) -> Tensor:
        """Return normalised images (B, 3, H, W)."""
        with torch.no_grad():
            latents = self.tokenizer.model.quantised(given.tokens)
        return network(latents, given.images, given.holes).float()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Update the decoder once."""
        step, own = self.global_step, self.settings
        given = self.given(batch, "train", step, filled=step >= own.total_steps - own.fill_steps)
        output = self.decoded(self.network, given)
        l1 = F.l1_loss(output, given.images)
        count = given.num_conditional
        holes, truth = given.holes[:count, None], given.images[:count]
        composite = torch.where(holes, output[:count], truth)
        # the mean over the hole only: known pixels have no error, and would make small holes count for nothing
        in_hole = (composite - truth).abs().sum() / (holes.sum() * truth.shape[1]).clamp(min=1)
        loss = l1 + own.composite_weight * in_hole
        self.log("train/loss_rec", l1.detach(), prog_bar=True)
        self.log("train/loss_hole", in_hole.detach())
        whole = self.perceived(self.tokenizer.pixels(output), self.tokenizer.pixels(given.images), step)
        rim = self.perceived(self.tokenizer.pixels(composite), self.tokenizer.pixels(truth), step)
        if whole is not None and rim is not None:
            self.log("train/loss_perceptual", whole.detach())
            loss = loss + own.perceptual_weight * (whole + own.composite_weight * rim)
        made = torch.cat([composite, output[count:]])  # what a user gets: composites, and whole outputs where all is hidden
        self.update(loss, step, distance=loss, real=given.images, made=made, last_layer=self.network.last_layer)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log errors of 8-bit-range pixels: in the hole, in the known part, and without a condition; true tokens are given."""
        given = self.given(batch, "val", batch_idx)
        pixels = self.tokenizer.pixels(self.decoded(self.best_network, given))
        error = (pixels - self.tokenizer.pixels(given.images)).abs().mean(1)  # (B, H, W)
        if not bool(error.isfinite().all()):
            raise DivergedError(f"the decoder's output is not finite at step {self.global_step}: stopped. Try {REMEDIES}")
        count = given.num_conditional
        holes = given.holes[:count]
        for name, part in (("hole", error[:count][holes]), ("known", error[:count][~holes]), ("unconditional", error[count:])):
            if part.numel():
                self.log(f"val/mae_{name}", 255 * part.mean(), batch_size=count, prog_bar=name == "hole")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record which tokenizer the tokens came from; refuse weights that are not finite."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[TOKENIZER_KEY] = self.tokenizer.sha256

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights for another tokenizer's tokens."""
        require_same_tokenizer(checkpoint.get(TOKENIZER_KEY), self.tokenizer)
