"""Every number of a configuration in its range, before anything is loaded or trained: NaN, infinity, text and nonsense are refused.

Settings objects check themselves, too (`decode`, `optimizer`): here the command ends before torch is imported.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from maskgit_lab.assembly.schemas import AuditConfig, TrainConfig, TrainDecoderConfig
from maskgit_lab.core.ranges import LARGEST_LR, require_number

LARGEST_COUNT = 2**31 - 1  # of things in a tensor, a loop or a file
LARGEST_SEED = 2**32 - 1  # that Lightning takes
COUNT: dict[str, Any] = {"least": 1, "most": LARGEST_COUNT, "whole": True}
COUNT_OR_NONE: dict[str, Any] = {**COUNT, "least": 0}
# of networks, images and decoding: far more than anybody uses, and little enough to be counted before it is made
SIZE: dict[str, Any] = {"least": 1, "most": 65_536, "whole": True}
RESOLUTION: dict[str, Any] = {"least": 1, "most": 4_096, "whole": True}
LAYERS: dict[str, Any] = {"least": 0, "most": 1_000, "whole": True}
STEPS: dict[str, Any] = {"least": 1, "most": 10_000, "whole": True}
CELLS: dict[str, Any] = {"least": 0, "most": 1_000, "whole": True}
SEED: dict[str, Any] = {"least": 0, "most": LARGEST_SEED, "whole": True}
SHARE: dict[str, Any] = {"least": 0, "below": 1}
WEIGHT: dict[str, Any] = {"least": 0, "most": 1e6}  # of a loss next to another
RATE: dict[str, Any] = {"above": 0, "most": LARGEST_LR}

# key -> what its value, or every value of its list, must be
RANGES: dict[str, dict[str, Any]] = {
    "seed": SEED,
    "resolution": {**RESOLUTION, "or_null": True},
    "data.batch_size": COUNT,
    "data.val_batch_size": COUNT,
    "data.num_train_holes": COUNT,
    "data.num_val_fills": COUNT,
    "data.hole_share": {"above": 0, "most": 1},
    "max_hole_share": {"above": 0, "most": 1},
    "data.max_hole_share": {"above": 0, "most": 1},
    "data.source.max_hole_share": {"above": 0, "most": 1},
    "neighbours": {**COUNT, "or_null": True},
    "hole_bins": {"above": 0, "below": 1},
    "max_pixels": {"least": 1, "whole": True},
    "port": {"least": 0, "most": 65_535, "whole": True},
    "max_upload_bytes": {"least": 1, "whole": True},
    "max_kept_bytes": {"least": 1, "whole": True},
    "max_queue": COUNT_OR_NONE,
    "max_seconds": {"above": 0},
    "max_samples": {"least": 1, "most": 1000, "whole": True},
    "max_steps": STEPS,
    "data.max_pixels": {"least": 1, "whole": True},
    "data.source.max_pixels": {"least": 1, "whole": True},
    "data.source.seed": SEED,
    "data.source.num_train": COUNT,
    "data.source.num_val": COUNT,
    "data.source.num_test": COUNT,
    "data.source.resolution": RESOLUTION,
    "data.source.val_share": {"above": 0, "below": 1},
    "tokenizer.seed": {**SEED, "or_null": True},
    "tokenizer.mean": {"least": 0, "most": 1},  # of pixels in [0, 1]
    "tokenizer.std": {"above": 0, "most": 10},
    "tokenizer.model.patch_size": SIZE,
    "tokenizer.model.channels": SIZE,
    "tokenizer.model.num_blocks": LAYERS,
    "tokenizer.model.num_decoder_blocks": {**LAYERS, "or_null": True},
    "tokenizer.model.latent_dim": SIZE,
    "tokenizer.model.img_resolution": RESOLUTION,
    "tokenizer.model.latent_resolution": SIZE,
    "tokenizer.model.image_channels": SIZE,
    "tokenizer.model.enc_channels": SIZE,
    "tokenizer.model.dec_channels": SIZE,
    "tokenizer.model.num_codebook_vectors": {**COUNT, "least": 2},
    "tokenizer.model.beta": WEIGHT,
    "tokenizer.training.max_steps": COUNT,
    "tokenizer.training.batch_size": COUNT,
    "tokenizer.training.lr": RATE,
    "tokenizer.training.matrix_lr": {**RATE, "or_null": True},
    "tokenizer.training.betas": SHARE,
    "tokenizer.training.warmup_steps": COUNT_OR_NONE,
    "tokenizer.training.gradient_clip": {"above": 0},
    "tokenizer.training.revive_after_steps": COUNT_OR_NONE,
    "tokenizer.training.perceptual_weight": WEIGHT,
    "tokenizer.training.perceptual_shift": COUNT_OR_NONE,
    "tokenizer.training.ema_decay": SHARE,
    "tokenizer.training.gan_start_step": COUNT_OR_NONE,
    "tokenizer.training.gan_weight": WEIGHT,
    "tokenizer.training.gan_lr": {**RATE, "or_null": True},
    "tokenizer.training.lecam_weight": WEIGHT,
    "tokenizer.training.r1_weight": WEIGHT,
    "tokenizer.training.val_every_n_steps": COUNT,
    "tokenizer.training.discriminator.num_filters": SIZE,
    "tokenizer.training.discriminator.num_layers": {**LAYERS, "least": 1},
    "decoder.model.num_blocks": LAYERS,
    "decoder.model.num_pixel_blocks": LAYERS,
    "decoder.training.max_steps": COUNT,
    "decoder.training.batch_size": {**COUNT, "least": 2},  # half of a batch is decoded without a condition
    "decoder.training.lr": RATE,
    "decoder.training.betas": SHARE,
    "decoder.training.warmup_steps": COUNT_OR_NONE,
    "decoder.training.gradient_clip": {"above": 0},
    "decoder.training.perceptual_weight": WEIGHT,
    "decoder.training.perceptual_shift": COUNT_OR_NONE,
    "decoder.training.composite_weight": WEIGHT,
    "decoder.training.ema_decay": SHARE,
    "decoder.training.fill_steps": COUNT_OR_NONE,
    "decoder.training.gan_start_step": COUNT_OR_NONE,
    "decoder.training.gan_weight": WEIGHT,
    "decoder.training.gan_lr": {**RATE, "or_null": True},
    "decoder.training.lecam_weight": WEIGHT,
    "decoder.training.r1_weight": WEIGHT,
    "decoder.training.discriminator.num_filters": SIZE,
    "decoder.training.discriminator.num_layers": {**LAYERS, "least": 1},
    "decoder.training.num_fills": COUNT,
    "decoder.training.fill_decode_steps": {**STEPS, "or_null": True},
    "decoder.training.val_every_n_steps": COUNT,
    "model.transformer.dim": SIZE,
    "model.transformer.num_layers": {**LAYERS, "least": 1},
    "model.transformer.num_heads": SIZE,
    "model.transformer.hidden_dim": SIZE,
    "model.transformer.dropout": SHARE,
    "model.transformer.attention_dropout": SHARE,
    "model.context.channels": SIZE,
    "model.context.num_blocks": LAYERS,
    "decode.num_steps": STEPS,
    "decode.figure_steps": STEPS,
    "decode.choice_temperature": {"least": 0},
    "decode.mask_dilation": CELLS,  # before that of training, which follows it
    "decode.token_temperature": {"least": 0},
    "decode.top_k": COUNT_OR_NONE,
    "decode.top_p": {"above": 0, "most": 1},
    "decode.policy.epsilon": {"least": 0},
    "decode.policy.eta": {"least": 0},
    "decode.policy.loop_from": {"above": 0, "below": 1},
    "decode.policy.loop_to": {"above": 0, "below": 1},
    "decode.policy.jump": STEPS,
    "decode.policy.repeats": {"least": 0, "most": 1000, "whole": True},
    "decode.policy.order_temperatures": {"least": 0},
    "decode.policy.token_temperatures": {"least": 0},
    "decode.policy.weight": {"least": 0},
    "decode.policy.drop": {"above": 0, "most": 1},
    "decode.policy.ramp": {"least": 0},
    "expand": {"least": 0, "most": 65_536, "whole": True},  # pixels
    "num_heads": SIZE,  # of the lab's transformer
    "num_samples": {"least": 1, "most": 1000, "whole": True},
    "optimizer.lr": RATE,
    "optimizer.matrix_lr": {**RATE, "or_null": True},
    "optimizer.betas": SHARE,
    "optimizer.weight_decay": {"least": 0},
    "optimizer.final_lr_share": {"least": 0, "most": 1},
    "training.label_smoothing": SHARE,
    "training.mask_dilation": CELLS,
    "training.mask_share": {"least": 0, "most": 1},
    "callbacks.early_stopping.patience": COUNT_OR_NONE,
    "callbacks.early_stopping.min_delta": {"least": 0},
    "callbacks.throughput.every_n_steps": COUNT,
    "callbacks.scores.every_n_epochs": COUNT,
    "callbacks.scores.batch_size": COUNT,
    "callbacks.fixed_train_loss.num_images": COUNT,
    "callbacks.samples.every_n_epochs": COUNT,
    "callbacks.samples.num_images": COUNT,
    "callbacks.ema.decay": SHARE,
}
# key -> how many values its list has
LENGTHS = {
    "expand": 4,
    "data.hole_share": 2,
    "training.mask_share": 2,
    "tokenizer.mean": 3,
    "tokenizer.std": 3,
    "tokenizer.training.betas": 2,
    "decoder.training.betas": 2,
    "optimizer.betas": 2,
}


def check_numbers(config: Any) -> None:
    """Raise ValueError naming the key of a number that is not in its range.

    Keys that a configuration does not have are fine; null is, where it means: as the run has it.
    """
    own = isinstance(config, TrainConfig | AuditConfig | TrainDecoderConfig)
    for key, limits in RANGES.items():
        found, value = _value(config, key)
        if not found or (value is None and not own):
            continue
        if key in LENGTHS and (not isinstance(value, list | tuple) or len(value) != LENGTHS[key]):
            raise ValueError(f"{key} must be a list of {LENGTHS[key]} numbers, got {value}")
        for number in value if isinstance(value, list | tuple) else [value]:
            require_number(key, number, **limits)
    if isinstance(config, TrainConfig):
        least, largest = config.training.mask_share
        if least > largest or largest == 0:
            raise ValueError(f"training.mask_share must be two shares, the first not above the second, got {[least, largest]}")


def _value(node: Any, key: str) -> tuple[bool, Any]:
    """Return whether there is such a key below `node`, and its value."""
    for part in key.split("."):
        fields = node if isinstance(node, Mapping) else vars(node) if is_dataclass(node) else {}
        if part not in fields:
            return False, None
        node = fields[part]
    return True, node
