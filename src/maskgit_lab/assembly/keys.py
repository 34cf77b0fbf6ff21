"""What a tokenizer and a training run depend on, as hashes: the keys under which they are found again."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from maskgit_lab.assembly.schemas import DecoderConfig, TrainConfig
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.models.tokenizer import FrozenTokenizer
from maskgit_lab.training.compilation import AUTO

# raise one when the code of that stage changes what comes out for the same configuration
STAGE1_VERSION = 1
STAGE1_MUON_VERSION = 2  # of stage 1 with Muon, which diverged in bf16 before: what caches hold of it is not found again
STAGE2_VERSION = 1
DECODER_VERSION = 1

# what weights do not depend on: names and places, decoding, and callbacks that only look
INDEPENDENT: tuple[str, ...] = (
    "name", "tags", "notes", "resume", "checkpoint", "force", "reuse", "paths", "logger", "metrics", "decode", "mask_schedule",
    "decoder", "perceptual_weights", "resolution",
)  # fmt: skip
ONLY_LOOKING = ("scores", "samples", "learning_rate", "throughput", "fixed_train_loss")
# these count by what they produce: the images' fingerprints, the tokenizer's hash
BY_CONTENT = (
    "tokenizer", "data.source", "data.root", "data.split", "data.masks", "data.mask_hole", "data.max_pixels", "data.skip_bad",
    "data.test_root", "data.num_val_fills", "data.mask_suffix", "data.max_hole_share", "data.train_masks", "data.train_mask_hole",
)  # fmt: skip
# keys that earlier versions did not have, with the values that leave everything as it was
NEW_DEFAULTS: dict[str, Any] = {
    "matrix_lr": None, "mask_dilation": 0, "mask_share": [0.0, 1.0], "num_decoder_blocks": None, "ema_decay": 0,
    "gan_adaptive": True, "gan_lr": None, "gan_augment": False, "lecam_weight": 0, "r1_weight": 0, "perceptual_shift": 0,
}  # fmt: skip
NEW_IN_DECODER: dict[str, Any] = {
    "discriminator": None, "gan_start_step": 0, "gan_weight": 0.1, "gan_adaptive": False, "gan_lr": None, "gan_augment": False,
    "lecam_weight": 0, "r1_weight": 0, "perceptual_shift": 0, "fill_decode_steps": None,
}  # fmt: skip
MISSING = object()
# keys of decode that earlier versions did not have, at values that decode as they did
NEW_IN_DECODE: dict[str, Any] = {
    "token_temperature": 0, "top_k": 0, "top_p": 1, "policy": {"_target_": "maskgit_lab.core.policies.confidence.Confidence"},
    "mask_blend_pixels": 0,
}  # fmt: skip
# monitored values that no decoding goes into
LOSSES = ("val/loss", "train/loss", "val/token_accuracy", "train/token_accuracy", "train/fixed_loss")


def tokenizer_key(config: TrainConfig, splits: DataSplits) -> str:
    """Return 16 hex digits over all that a trained tokenizer depends on."""
    tokenizer = config.tokenizer
    content = {
        "version": STAGE1_VERSION if tokenizer.training.get("matrix_lr") is None else STAGE1_MUON_VERSION,
        "model": _without_new_defaults(tokenizer.model),
        "training": _without_new_defaults(tokenizer.training),
        "mean": tokenizer.mean,
        "std": tokenizer.std,
        "data": [splits.train.fingerprint, splits.val.fingerprint],
        "flip": config.data["flip"],
        "seed": config.stage1_seed,
    }
    return _hash(content)


def training_key(config: TrainConfig, splits: DataSplits, tokenizer: FrozenTokenizer) -> str:
    """Return 16 hex digits over all that the weights of stage 2 depend on."""
    content = asdict(config)
    if content["speed"] == "fast":  # as all runs from before the key; with dropout, plain draws other numbers
        del content["speed"]
    if content["training"]["compile"] == AUTO:  # as all runs from before it
        content["training"]["compile"] = False
    content["training"] = _without_new_defaults(content["training"])
    content["optimizer"] = _without_new_defaults(content["optimizer"])
    content["decode"] = _without_new_defaults(content["decode"], NEW_IN_DECODE)
    watched = {node["monitor"] for node in content["callbacks"].values() if node and "monitor" in node}
    if watched <= set(LOSSES):
        for name in ONLY_LOOKING:
            content["callbacks"].pop(name, None)
        independent = INDEPENDENT
    else:  # scores of decoded images choose the epoch
        independent = tuple(name for name in INDEPENDENT if name not in ("decode", "mask_schedule", "metrics"))
    for name in (*independent, *BY_CONTENT):
        group, _, key = name.partition(".")
        (content[group] if key else content).pop(key or group, None)
    content |= {
        "version": STAGE2_VERSION,
        "pictures": [splits.train.fingerprint, splits.val.fingerprint],
        "tokenizer_sha256": tokenizer.sha256,
        **_own_masks(splits),
    }
    return _hash(content)


def decoder_key(
    decoder: DecoderConfig, config: TrainConfig, splits: DataSplits, tokenizer: FrozenTokenizer, *, seed: int, fills: str | None
) -> str:
    """Return 16 hex digits over all that a conditional decoder depends on.

    Args:
        decoder: its networks and training.
        config: of its run, for the images and holes that training sees.
        splits: the images.
        tokenizer: whose tokens it decodes.
        seed: of the decoder stage.
        fills: what the run's own fills depend on; None where they are not trained on.

    Returns:
        The key.
    """
    data = {name: config.data[name] for name in ("flip", "hole_style", "hole_share", "num_train_holes")}
    content = {
        "version": DECODER_VERSION,
        "decoder": {**asdict(decoder), "training": _without_new_defaults(decoder.training, NEW_IN_DECODER)},
        "data": data,
        "images": [splits.train.fingerprint, splits.val.fingerprint],
        "tokenizer_sha256": tokenizer.sha256,
        "holes_seed": config.seed,
        "seed": seed,
        "fills": fills,
        **_own_masks(splits),
    }
    return _hash(content)


def _own_masks(splits: DataSplits) -> dict[str, str]:
    """Return a hash of the masks that the holes of training are; nothing where they are drawn, as always before."""
    holes = splits.train_holes
    return {} if holes is None else {"train_masks": hashlib.sha256(str(holes.shape).encode() + holes.tobytes()).hexdigest()}


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _without_new_defaults(node: dict[str, Any], defaults: dict[str, Any] = NEW_DEFAULTS) -> dict[str, Any]:
    """Leave out keys that earlier versions did not have where they change nothing, so that their results are found."""
    if node.get("perceptual", MISSING) is None:  # then its settings change nothing: they are as they once were
        node = {**node, "perceptual_weight": 1.0, "perceptual_shift": 0}
    return {key: value for key, value in node.items() if defaults.get(key, MISSING) != value}
