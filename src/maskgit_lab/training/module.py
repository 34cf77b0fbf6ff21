"""Stage 2 in Lightning: learn to predict hidden tokens (masked visual token modeling).

Every random number of a step is drawn from (seed, stream, epoch, batch), so that a resumed run equals an uninterrupted one. Holes
and masks are drawn for the batch of all processes together (core.batch_share): two processes train as one with twice the batch.
"""

import logging
from typing import Any

import lightning as L
import torch
from torch import Tensor

from maskgit_lab.core.batch_share import BatchShare
from maskgit_lab.core.losses import MaskedLoss, masked_cross_entropy
from maskgit_lab.core.masking import WHOLE_SHARE, sample_mvtm_mask, token_mask
from maskgit_lab.core.pixels import HOLE_GREY
from maskgit_lab.core.randomness import counter_seed, generator
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.data.hole_draw import HoleDraw
from maskgit_lab.data.loader import ResumableLoader
from maskgit_lab.models.masked_token_model import MaskedTokenModel
from maskgit_lab.models.tokenizer import FrozenTokenizer, require_same_tokenizer
from maskgit_lab.runs.checkpoint import TOKENIZER_KEY
from maskgit_lab.training.devices import require_whole_weights
from maskgit_lab.training.divergence import DivergedError, DivergenceGuard, gradient_norm, require_finite_weights
from maskgit_lab.training.optim import AdamSettings

log = logging.getLogger("maskgit_lab")

RAW_WEIGHTS_KEY = "current_model_state"  # in checkpoints of EMAWeightAveraging, whose state_dict is the average
Batch = dict[str, Tensor]
# what helps when the loss is not finite
REMEDIES = "a lower optimizer.lr (and optimizer.matrix_lr), more optimizer.warmup_steps, trainer.gradient_clip_val=1.0"
FOR_ALL_RANKS = 0  # last counter of a draw: the numbers are the same on every process


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
        turn_holes: take each hole of the bank in eight orientations; False for own masks, which lie where they are meant.
        encode_masked: take the visible tokens outside the hole from the image with the hole greyed out, as at test time; costs
            an encoder pass each step. Needs `holes`.
        mask_dilation: cells by which the tokens under a hole grow, as `decode.mask_dilation` does at test time; needs `holes`.
        mask_share: least and largest share of the candidates that is hidden, see `sample_mvtm_mask`.
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
        turn_holes: bool = True,
        encode_masked: bool = False,
        mask_dilation: int = 0,
        mask_share: tuple[float, float] = WHOLE_SHARE,
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
        self.turn_holes = turn_holes
        self.encode_masked = encode_masked
        self.mask_share = mask_share
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.divergence = DivergenceGuard(stage="stage 2", keys=REMEDIES)
        self._validated: Tensor | None = None  # the sum of this validation's losses on this process
        self.holes: Tensor | None
        self.register_buffer("holes", holes, persistent=False)
        grid = tokenizer.grid
        self.hole_cells = None  # (M, grid, grid) bool on the host
        if holes is not None:
            self.hole_cells = token_mask(holes, grid=grid, dilation=mask_dilation).unflatten(1, (grid, grid))
        self._ddp_params_and_buffers_to_ignore = ["holes"]  # the same on all ranks: DDP would send the bank at every step

    def setup(self, stage: str) -> None:
        """Move the tokenizer to the device: Lightning does not know it, and moves this module only after this hook."""
        self.tokenizer.to(self.trainer.strategy.root_device)
        require_whole_weights(self.trainer)
        strategy, own = self.trainer.strategy, self.tokenizer.sha256
        if self.trainer.world_size > 1 and not strategy.reduce_boolean_decision(strategy.broadcast(own) == own):
            raise ValueError(
                f"the processes of this run have different tokenizers (this one {own[:12]}): "
                "hydra.run.dir and paths.cache must be folders that all of them see"
            )

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make dropout a function of the step: Lightning restores no generator on resume."""
        torch.manual_seed(counter_seed(self.seed, "dropout", self.current_epoch, batch_idx, self.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch with fresh masks."""
        trainer = self.trainer
        share = BatchShare(len(batch["tokens"]) * trainer.world_size, trainer.global_rank, trainer.world_size)
        result = self._masked_loss(batch, "train", self.current_epoch, batch_idx, FOR_ALL_RANKS, share=share)
        logged = torch.stack([result.loss.detach(), result.accuracy])
        if trainer.world_size > 1:
            torch.distributed.all_reduce(logged)  # one message; sync_dist would wait at a barrier for each value
            logged /= trainer.world_size
        self.divergence.watch(logged[0], self._place(batch_idx))
        self.log("train/loss", logged[0], prog_bar=True)
        self.log("train/token_accuracy", logged[1])
        return result.loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Stop after the first batch whose loss is not finite; its update was left out."""
        self.divergence.look(now=self.trainer.is_last_batch)

    def _place(self, batch_idx: int) -> str:
        """Return what a batch is called in a message."""
        rates = " and ".join(f"{rate:.3g}" for rate in dict.fromkeys(g["lr"] for g in self.trainer.optimizers[0].param_groups))
        return f"epoch {self.current_epoch}, batch {batch_idx} (both from 0), learning rate {rates}"

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the loss with the same masks every epoch; exact for any number of processes, without the images that fill up."""
        trainer, loader = self.trainer, self.trainer.val_dataloaders
        assert isinstance(loader, ResumableLoader)
        share = BatchShare(loader.items_in_batch(batch_idx), trainer.global_rank, trainer.world_size)
        result = self._masked_loss(batch, "val", 0, batch_idx, FOR_ALL_RANKS, share=share)
        self._validated = result.loss.clone() if self._validated is None else self._validated + result.loss
        self.log("val/loss", result.loss, prog_bar=True, batch_size=share.num_items, sync_dist=True)
        self.log("val/token_accuracy", result.accuracy, batch_size=share.num_items, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Stop when the loss is not finite: ModelCheckpoint would take NaN for infinity, and keep it when it is the first."""
        total, self._validated = self._validated, None
        if total is None:
            return
        if self.trainer.world_size > 1:
            torch.distributed.all_reduce(total)
        if not bool(total.isfinite()):
            raise DivergedError(
                f"val/loss is not finite (NaN or infinite) in epoch {self.current_epoch} (from 0): stopped; no checkpoint is made "
                f"of such weights. Try {REMEDIES}"
            )

    def measured_loss(self, batch: Batch, batch_idx: int, share: BatchShare | None = None) -> Tensor:
        """Return the loss of a batch, or of this process's share, with the masks that validation batch number `batch_idx` gets."""
        return self._masked_loss(batch, "val", 0, batch_idx, FOR_ALL_RANKS, share=share).loss

    def _masked_loss(self, batch: Batch, stream: str, *counters: int, share: BatchShare | None = None) -> MaskedLoss:
        """Hide, predict, compare. What is hidden is drawn on the host, so that its size is known there and nothing waits."""
        tokens = batch["tokens"]
        size, device = len(tokens), tokens.device
        share = share or BatchShare(num_items=size)
        candidates = torch.ones(share.num_items, tokens.shape[1], dtype=torch.bool)
        visible, context = tokens, None
        if self.holes is not None and self.hole_cells is not None:
            noise = generator(self.seed, f"{stream}/holes", *counters)
            drawn = HoleDraw.of(len(self.holes), share.num_items, noise, turned=self.turn_holes)
            candidates = drawn.holes(self.hole_cells).flatten(1)
            holes = share.own(drawn.holes(self.holes), size)
            masked = batch["images"].masked_fill(holes[..., None], HOLE_GREY)
            context = self.model.read_context(masked, holes)
            if self.encode_masked:
                under_hole = share.own(candidates, size).to(device, non_blocking=True)
                visible = torch.where(under_hole, tokens, self.tokenizer.encode(masked))
        all_masks = sample_mvtm_mask(
            candidates, schedule=self.mask_schedule, generator=generator(self.seed, f"{stream}/mask", *counters),
            share=self.mask_share,
        )  # fmt: skip
        mask = share.own(all_masks, size) & share.counts(size, all_masks.device)[:, None]
        hidden = mask.to(device, non_blocking=True)
        logits = self.model.hidden_logits(visible.masked_fill(hidden, self.model.transformer.mask_token_id), mask, context)
        return masked_cross_entropy(
            logits, tokens, mask, label_smoothing=self.label_smoothing,
            denominator=all_masks.sum().clamp(min=1) / share.num_ranks,
        )  # fmt: skip

    def configure_optimizers(self) -> Any:
        """Build the optimiser with its learning-rate schedule over the whole run."""
        if self.optimizer_settings.matrix_lr is not None and self.trainer.precision == "16-mixed":
            raise ValueError(
                "optimizer.matrix_lr does not go with trainer.precision=16-mixed: use bf16-mixed, or optimizer.matrix_lr=null, "
                "which updates everything by Adam"
            )
        # as a function: asking now would set the loaders up before Lightning gives them the place to resume at
        optimizer, scheduler = self.optimizer_settings.build(self.model, lambda: int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip; leave the update out when the gradient is not finite. Lightning's own clipping refuses fused optimisers."""
        scaled = self.trainer.precision == "16-mixed"
        if gradient_clip_val and scaled:
            raise ValueError(
                "trainer.gradient_clip_val does not go with trainer.precision=16-mixed here: use bf16-mixed or clip nothing (null)"
            )
        if scaled:  # gradients may be infinite; the scaler leaves such updates out and goes on with a smaller scale
            return
        parameters = list(self.model.parameters())
        by_value = gradient_clip_algorithm == "value"
        if gradient_clip_val and not by_value:
            norm = torch.nn.utils.clip_grad_norm_(parameters, gradient_clip_val)
        else:
            norm = gradient_norm(parameters)
        self.divergence.protect(optimizer, norm)
        if gradient_clip_val and by_value:
            torch.nn.utils.clip_grad_value_(parameters, gradient_clip_val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record which tokenizer the tokens came from; refuse weights that are not finite."""
        for weights in (checkpoint["state_dict"], checkpoint.get(RAW_WEIGHTS_KEY, {})):
            require_finite_weights(weights, "no checkpoint is written")
        checkpoint[TOKENIZER_KEY] = self.tokenizer.sha256

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights that were trained on another tokenizer's tokens."""
        require_same_tokenizer(checkpoint.get(TOKENIZER_KEY), self.tokenizer)
