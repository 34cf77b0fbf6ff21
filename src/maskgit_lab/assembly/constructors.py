"""Whether every constructor that a configuration names exists and takes what it is given, asked before anything is built.

Needs the imports that building needs; `assembly.check` looks at the rest before them.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from hydra.utils import get_object

from maskgit_lab.assembly.schemas import DecoderConfig, TrainConfig
from maskgit_lab.assembly.suggest import did_you_mean

# what `assembly.compose` gives them itself; a configuration that gave it too would be passed over
GIVEN = {
    "model.transformer": ("num_image_tokens", "num_codebook_vectors"),
    "model.context": ("dim", "grid", "resolution"),
    "decoder.model": ("network",),
    "trainer": ("logger", "callbacks", "default_root_dir"),
    "callbacks.best": ("dirpath",),
    "callbacks.last": ("dirpath",),
    "callbacks.scores": ("extractor", "images", "settings", "seed"),
    "callbacks.samples": ("folder", "images", "settings", "seed"),
    "logger.wandb": ("folder", "provenance"),
    "logger.tensorboard": ("folder",),
    "metrics.extractor": ("tokenizer",),
    "tokenizer.training.discriminator": ("mean", "std"),
    "decoder.training.discriminator": ("mean", "std"),
}


def check_constructors(config: TrainConfig) -> None:
    """Raise ValueError naming the first key that a constructor does not take, or a target that does not exist."""
    tokenizer = config.tokenizer
    nodes: dict[str, Any] = {
        "data.source": config.data["source"], "tokenizer.model": tokenizer.model, "optimizer": config.optimizer,
        "tokenizer.training.perceptual": tokenizer.training.get("perceptual"),
        "tokenizer.training.discriminator": tokenizer.training.get("discriminator"),
        "model.transformer": config.model.transformer, "model.context": config.model.context,
        "mask_schedule": config.mask_schedule, "training.mask_schedule": config.training.mask_schedule,
        "decode.policy": config.decode.get("policy"), "trainer": config.trainer, "metrics.extractor": config.metrics.extractor,
        **{f"callbacks.{name}": node for name, node in config.callbacks.items()},
        **{f"logger.{name}": node for name, node in config.logger.items() if isinstance(node, Mapping)},
    }  # fmt: skip
    for place, node in nodes.items():
        if node is not None:
            check_constructor(place, node)
    if config.decoder is not None:
        check_decoder_constructors(config.decoder)


def check_decoder_constructors(decoder: DecoderConfig) -> None:
    """Check what the decoder stage builds, and that it has the steps it is asked for; for ValueErrors see `check_constructors`."""
    if decoder.model is None:
        raise ValueError("decoder=plain is the tokenizer's own, which every run has: decoder=conditional trains one")
    steps, fill_steps = decoder.training["max_steps"], decoder.training["fill_steps"]
    if isinstance(fill_steps, int) and isinstance(steps, int) and fill_steps > steps:
        raise ValueError(f"decoder.training.fill_steps must be at most decoder.training.max_steps ({steps}), got {fill_steps}")
    check_constructor("decoder.model", decoder.model)
    for name in ("perceptual", "discriminator"):
        if decoder.training.get(name) is not None:
            check_constructor(f"decoder.training.{name}", decoder.training[name])


def check_constructor(place: str, node: Mapping[str, Any]) -> None:
    """Check one node of a configuration, found at `place`; for ValueErrors see `check_constructors`."""
    target = node.get("_target_") if isinstance(node, Mapping) else None
    if target is None:
        raise ValueError(f"{place} has no _target_, the class or function that makes it")
    try:
        parameters = inspect.signature(get_object(target)).parameters
    except (ValueError, TypeError, ImportError, AttributeError) as error:
        raise ValueError(f"{place}._target_: cannot find {target} ({str(error).partition(chr(10))[0]})") from error
    given = [str(key) for key in node if not str(key).startswith("_")]
    for key in given:
        if key in GIVEN.get(place, ()):
            raise ValueError(f"{place}.{key} is set by the program; remove it")
        takes_any = any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values())
        if key not in parameters and not takes_any:
            raise ValueError(f"{place}.{key} is no argument of {target}{did_you_mean(key, parameters)}")
