"""Stage 2 in Lightning: learn to predict hidden tokens (masked visual token modeling).

Every random number of a step is drawn from (seed, stream, epoch, batch), so that a resumed run equals an uninterrupted one.
"""

from typing import Any

import lightning as L
import torch
from torch import Tensor

from maskgit_lab.core.losses import MaskedLoss, masked_cross_entropy
from maskgit_lab.core.masking import sample_mvtm_mask, token_mask
from maskgit_lab.core.positions import Positions
from maskgit_lab.core.randomness import counter_seed, generator
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.models.filling import HOLE_GREY
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.training.optim import AdamSettings

TOKENIZER_KEY = "tokenizer_sha256"
Batch = dict[str, Tensor]


class MaskedTokenModule(L.LightningModule):
    """Train a MaskedTokenModel on the tokens of a frozen tokenizer.

    A batch is a dict: `tokens` (B, N) int64 and, where holes are used, `images` (B, H, W, 3) uint8.

    Args:
        model: the network.
        tokenizer: stays out of the module's parameters and checkpoints; its sha256 goes in.
        mask_schedule: share of the candidates hidden at progress r.
        optimizer: Adam and its schedule.
        holes: (M, H, W) bool, a bank of holes. With it, only tokens under a hole drawn from the bank are hidden, as at test time,
            and the context reads the known pixels. None hides tokens anywhere in the grid (the lab).
        encode_masked: take the visible tokens outside the hole from the picture with the hole greyed out, as at test time; costs
            an encoder pass each step. Needs `holes`.
        label_smoothing: in [0, 1).
        seed: of masks, holes and dropout.
    """

    def __init__(
        self,
        *,
        model: MaskedTokenModel,
        tokenizer: FrozenTokenizer,
        mask_schedule: MaskSchedule,
        optimizer: AdamSettings,
        holes: Tensor | None = None,
        encode_masked: bool = False,
        label_smoothing: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if holes is None and (model.context is not None or encode_masked):
            raise ValueError("model.context and training.encode_masked need training.mask_region=hole")
        self.model = model
        self.tokenizer = tokenizer
        self.mask_schedule = mask_schedule
        self.optimizer_settings = optimizer
        self.encode_masked = encode_masked
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.holes: Tensor | None
        self.register_buffer("holes", holes, persistent=False)

    def setup(self, stage: str) -> None:
        """Move the tokenizer to the device; Lightning does not know it."""
        self.tokenizer.to(self.device)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make dropout a function of the step: Lightning restores no generator on resume."""
        torch.manual_seed(counter_seed(self.seed, "dropout", self.current_epoch, batch_idx, self.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch with fresh masks."""
        result = self._masked_loss(batch, "train", self.current_epoch, batch_idx, self.global_rank)
        self.log("train/loss", result.loss.detach(), prog_bar=True)
        self.log("train/token_accuracy", result.accuracy)
        return result.loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the loss with the same masks every epoch."""
        result = self._masked_loss(batch, "val", 0, batch_idx, self.global_rank)
        size = batch["tokens"].shape[0]
        self.log("val/loss", result.loss, prog_bar=True, batch_size=size, sync_dist=True)
        self.log("val/token_accuracy", result.accuracy, batch_size=size, sync_dist=True)

    def measured_loss(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch with the masks that validation batch number `batch_idx` gets."""
        return self._masked_loss(batch, "val", 0, batch_idx, self.global_rank).loss

    def _masked_loss(self, batch: Batch, stream: str, *counters: int) -> MaskedLoss:
        tokens = batch["tokens"]
        candidates, visible, context = torch.ones_like(tokens, dtype=torch.bool), tokens, None
        if self.holes is not None:
            holes = self._draw_holes(len(tokens), f"{stream}/holes", *counters)
            candidates = token_mask(holes, grid=self.tokenizer.grid)
            masked = batch["images"].masked_fill(holes[..., None], HOLE_GREY)
            context = self.model.read_context(masked, holes)
            if self.encode_masked:
                visible = torch.where(candidates, tokens, self.tokenizer.encode(masked))
        mask = sample_mvtm_mask(
            candidates, schedule=self.mask_schedule, generator=generator(self.seed, f"{stream}/mask", *counters)
        )
        hidden = Positions.of(mask, mask.sum(1).tolist())
        logits = self.model(visible.masked_fill(mask, self.model.transformer.mask_token_id), context, hidden)
        return masked_cross_entropy(logits, tokens, mask, label_smoothing=self.label_smoothing)

    def _draw_holes(self, batch_size: int, stream: str, *counters: int) -> Tensor:
        """Take holes (B, H, W) from the bank, each flipped and transposed at random, eight shapes from one."""
        assert self.holes is not None
        g = generator(self.seed, stream, *counters)
        pick = torch.randint(len(self.holes), (batch_size,), generator=g)
        flip_x, flip_y, turn = (torch.rand(3, batch_size, 1, 1, generator=g) < 0.5).to(self.holes.device)
        holes = self.holes[pick.to(self.holes.device)]
        holes = torch.where(flip_x, holes.flip(2), holes)
        holes = torch.where(flip_y, holes.flip(1), holes)
        return torch.where(turn, holes.transpose(1, 2), holes)

    def configure_optimizers(self) -> Any:
        """Build Adam with its learning-rate schedule over the whole run."""
        # asked for later: Lightning would set the loaders up now, before it gives them the place to resume at
        optimizer, scheduler = self.optimizer_settings.build(self.model.parameters(), self._total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _total_steps(self) -> int:
        return int(self.trainer.estimated_stepping_batches)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip by norm; Lightning's own clipping refuses fused optimisers, which matters only where gradients are scaled."""
        if gradient_clip_val is None:
            return
        if self.trainer.precision == "16-mixed":
            raise ValueError(
                "trainer.gradient_clip_val does not go with trainer.precision=16-mixed here: use bf16-mixed or clip nothing (null)"
            )
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), gradient_clip_val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record which tokenizer the tokens came from."""
        checkpoint[TOKENIZER_KEY] = self.tokenizer.sha256

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that were trained on another tokenizer's tokens."""
        require_same_tokenizer(checkpoint.get(TOKENIZER_KEY), self.tokenizer)


def require_same_tokenizer(recorded: str | None, tokenizer: FrozenTokenizer) -> None:
    """Raise ValueError unless the checkpoint's tokenizer sha256 is this tokenizer's."""
    if recorded != tokenizer.sha256:
        raise ValueError(
            f"the checkpoint was trained on tokens of tokenizer {str(recorded)[:12]}, this run has {tokenizer.sha256[:12]}: "
            "its token ids mean other things. Use the run's own tokenizer or train anew"
        )
