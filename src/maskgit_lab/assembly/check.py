"""Mistakes that the configuration itself shows, found before torch is imported and before anything is written.

Constructors check their own values; here are those that would be noticed late, and the names of keys where no constructor looks.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf

from maskgit_lab.assembly.config import config_dir, options_of
from maskgit_lab.assembly.flag_values import check_flag_values
from maskgit_lab.assembly.numbers import check_numbers
from maskgit_lab.assembly.resolution import check_resolution
from maskgit_lab.assembly.schemas import EvaluateConfig, InpaintConfig, TrainConfig
from maskgit_lab.assembly.suggest import did_you_mean
from maskgit_lab.data.hole_marks import check_hole_mark

LETTER = r"\w\udc80-\udcff"  # the latter are bytes that the locale could not decode
NAME = re.compile(rf"[{LETTER}][{LETTER} .+-]*")  # of a run: it is a folder's name
DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?|mps|xpu(:\d+)?")
CHOICES: dict[str, tuple[Any, ...]] = {
    "checkpoint": ("best", "last"),
    "speed": ("fast", "plain", None),
    "use_decoder": ("conditional", "plain", None),
    "reuse": ("sweep", "cache", "never"),
    "hole_style": ("brush", "walk", "box", "centre", "half"),
    "data.hole_style": ("brush", "walk", "box", "centre", "half"),
    "data.cache": ("on", "off"),
    "precision": ("32-true", "bf16-mixed", "16-mixed"),  # of evaluate
    "training.mask_region": ("hole", "grid"),
    "strategy": ("crop", "resize", "original"),
    "lpips": ("squeeze", "alex", "vgg", None),
}
YES_OR_NO = ("data.flip", "logger.offline", "logger.wandb.offline")
# whole numbers, and the least of each, beside those of `numbers`; where null is allowed it means something else
LEAST = {
    "seed": 0, "batch_size": 1, "max_images": 2, "num_pairs": 0, "decode.num_steps": 1, "decode.sweet_spot": 1,
    "decode.figure_steps": 1, "decode.mask_dilation": 0, "decode.mask_blend_pixels": 0,
    "decode.refresh_every": 1, "decode.refresh_ring": 0,
    "optimizer.warmup_steps": 0, "seeds[]": 0, "sweet_spots[]": 1,
}  # fmt: skip
MAY_BE_NULL = ("max_images", "decode.sweet_spot", "decode.refresh_every")
MOST = {"seed": 2**32 - 1}  # NumPy's
NEEDED = (
    "data.source._target_", "data.batch_size", "data.flip", "tokenizer.model._target_", "tokenizer.training.max_steps",
    "model.transformer._target_", "mask_schedule._target_", "decode.num_steps", "decode.figure_steps",
    "training.mask_schedule._target_", "optimizer._target_", "trainer._target_", "trainer.accelerator", "trainer.precision",
    "metrics.extractor._target_",
)  # fmt: skip
MASK_HOLES = ("mask_hole", "data.mask_hole", "data.train_mask_hole")
READ_FROM = (
    "data.root", "data.test_root", "data.masks", "data.train_masks", "tokenizer.checkpoint", "images", "masks", "outputs", "truth",
    "lpips_weights", "vqgan", "transformer", "perceptual_weights",
)  # fmt: skip
TOKENIZER_DEFAULTS = ("gradient_clip",)  # of tokenizer.training: known, and in no option file


def check(config: Any, cfg: DictConfig | None = None, *, config_folder: str | None = None) -> None:
    """Raise ValueError with one line about the first mistake.

    Args:
        config: what a command is told, typed.
        cfg: what Hydra composed it from; None where a run's own configuration was read, which this version has written.
        config_folder: a further folder of option files (--config-dir).
    """
    if isinstance(config, TrainConfig):
        require_parts(config)
    check_numbers(config)
    as_run = not isinstance(config, TrainConfig)  # null means: as the run has it
    for key, value in flat(asdict(config)).items():
        rule = re.sub(r"\[\d+\]", "[]", key)
        if value is None and (as_run or rule in MAY_BE_NULL):
            continue
        if rule in CHOICES and value not in CHOICES[rule]:
            names = [name for name in CHOICES[rule] if name is not None]
            wanted = " or ".join(names) if len(names) == 2 else f"one of {', '.join(names)}"
            null = " or null" if as_run and None in CHOICES[rule] else ""
            raise ValueError(f"{key} must be {wanted}{null}, got {value!r}{did_you_mean(str(value), names)}")
        if rule in MASK_HOLES:
            check_hole_mark(value, key=key)
        if rule in YES_OR_NO and not isinstance(value, bool):
            raise ValueError(f"{key} must be true or false, got {value!r}")
        if rule in LEAST:
            _check_whole_number(key, value, LEAST[rule], MOST.get(rule))
    if isinstance(config, TrainConfig):
        check_flag_values(config)
        check_resolution(config)
    if isinstance(config, InpaintConfig):
        _check_images(config.images)
    _check_shares(config)
    _check_texts(config)
    if isinstance(config, EvaluateConfig):
        _check_evaluation(config, config_folder)
    if cfg is not None:
        _check_keys(config, cfg)
    _check_places(config)


def check_inputs(config: Any) -> None:
    """Raise FileNotFoundError naming the key of a file or folder that is to be read and is not there."""
    for key in READ_FROM:
        value: Any = config
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
        for path in value if isinstance(value, list) else [value]:
            if path is not None:
                _require_there(key, path)


def require_parts(config: TrainConfig) -> None:
    """Raise ValueError naming the first group or key without which there is no run: `~` took it away, or a file was cut."""
    for name in NEEDED:
        node: Any = config
        for part in name.split("."):
            node = node.get(part) if isinstance(node, Mapping) else getattr(node, part, None)
        if node is None:
            raise ValueError(f"{name} is missing: a run needs it")


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """Return the values in nested dictionaries and lists by dotted key: data.hole_share[0]; empty ones are values too."""
    if isinstance(node, Mapping) and node:
        parts = [flat(value, f"{prefix}.{key}" if prefix else str(key)) for key, value in node.items()]
    elif isinstance(node, list) and node:
        parts = [flat(value, f"{prefix}[{i}]") for i, value in enumerate(node)]
    else:
        return {prefix: node}
    return {key: value for part in parts for key, value in part.items()}


def _check_images(images: Any) -> None:
    if not isinstance(images, str) and not (isinstance(images, list) and images and all(isinstance(path, str) for path in images)):
        raise ValueError(f"images must be a folder, a file or a list of files, images=[a.png,b.jpg]; got {images}")


def _check_whole_number(key: str, value: Any, least: int, most: int | None) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} must be a whole number, got {value!r}")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{key} must be at least {least}{f' and at most {most}' if most is not None else ''}, got {value}")


def _check_shares(config: Any) -> None:
    for key, group in (("data.hole_share", getattr(config, "data", {})), ("hole_share", vars(config))):
        share = group.get("hole_share") if isinstance(group, Mapping) else None
        numbers = isinstance(share, list) and len(share) == 2 and all(type(number) in (int, float) for number in share)
        if share is not None and not (numbers and 0 < share[0] < share[1] <= 1):
            raise ValueError(f"{key} must be two shares 0 < least < largest <= 1, got {share}")


def _check_texts(config: Any) -> None:
    """Check names and lists of them."""
    if isinstance(config, TrainConfig) and config.resume is None and not NAME.fullmatch(config.name):
        raise ValueError(f"name must be of letters, digits, spaces and . _ + - only, for it names a folder; got {config.name!r}")
    device = getattr(config, "device", "auto")
    if not DEVICE.fullmatch(device):
        raise ValueError(f"device must be auto, cpu, cuda, cuda:0, mps or the like, got {device!r}")
    if isinstance(config, EvaluateConfig | InpaintConfig):
        _check_networks(config)


def _check_evaluation(config: EvaluateConfig, config_folder: str | None) -> None:
    """Check what a table is made of; own schedules are in the folder of --config-dir."""
    if config.outputs is not None and config.truth is None:
        raise ValueError("outputs=FOLDER needs truth=FOLDER, the real images of the same names")
    for key in ("schedules", "sweet_spots", "seeds"):
        if not getattr(config, key):
            raise ValueError(f"{key} is empty: at least one is needed, e.g. {key}=[{'cosine' if key == 'schedules' else 3}]")
    there = options_of("mask_schedule", config_folder)
    for name in config.schedules:
        if name not in there:
            raise ValueError(f"schedules: no mask schedule {name}; there are {', '.join(there)}{did_you_mean(name, there)}")


def _check_networks(config: EvaluateConfig | InpaintConfig) -> None:
    """Check that it is said once what fills: a run, the lab's two files, or for `evaluate` images that another program filled."""
    lab = config.vqgan is not None or config.transformer is not None
    outputs = config.outputs if isinstance(config, EvaluateConfig) else None
    if (config.run is not None) + lab + (outputs is not None) != 1:
        told = "evaluate needs either run=RUN_FOLDER or outputs=FOLDER truth=FOLDER or"
        if isinstance(config, InpaintConfig):
            told = "run must be given: run=RUN_FOLDER, or instead of it"
        example = " data=cat_faces data.root=DIR" if isinstance(config, EvaluateConfig) else ""
        raise ValueError(f"{told} the lab's two files: vqgan=VQGAN.pt transformer=CHECKPOINT.pt{example}")
    if lab and (config.vqgan is None or config.transformer is None):
        key = "vqgan" if config.vqgan is None else "transformer"
        raise ValueError(f"{key} must be given: the lab's model is two files, vqgan=VQGAN.pt transformer=CHECKPOINT.pt")
    if lab and (config.checkpoint != "best" or config.use_decoder == "conditional"):
        key = "checkpoint" if config.checkpoint != "best" else "use_decoder"
        raise ValueError(f"{key} belongs to run=RUN_FOLDER: the lab's two files hold one checkpoint and no conditional decoder")
    if isinstance(config, EvaluateConfig) and (config.data is not None) != lab:
        raise ValueError(
            "vqgan and transformer need images to be measured on: data=cat_faces data.root=DIR, or data=synthetic_cats"
            if lab else "data goes with vqgan and transformer; a run is measured on its own images"
        )  # fmt: skip


def _check_keys(config: Any, cfg: DictConfig) -> None:
    """Check the names of keys where no constructor does: a key that `+` added would change nothing."""
    _check_fields(type(config), cfg, "")
    known: dict[str, Iterable[str]] = {"decode": {*_keys_of("decode"), "policy"}, "logger": _keys_of("logger")}
    known["decoder.training"] = _keys_of("decoder", "training")
    if OmegaConf.select(cfg, "data.source") is not None:
        raw = OmegaConf.to_yaml(cfg.data, resolve=False)
        known["data"] = {"source", *_option("data", "_serving"), *re.findall(r"\$\{(?:\.\.|data\.)(\w+)\}", raw)}
    if isinstance(config, TrainConfig):
        known["tokenizer.training"] = {*_keys_of("tokenizer", "training"), *TOKENIZER_DEFAULTS}
        _check_callbacks(config.callbacks)
    for group, names in known.items():
        found = OmegaConf.select(cfg, group)
        for key in map(str, found or ()):
            if key not in names:
                there = ", ".join(sorted(names))
                raise ValueError(f"{group}.{key} is not known; there are {there}{did_you_mean(key, names)}")


def _check_fields(schema: type, node: DictConfig, place: str) -> None:
    types = get_type_hints(schema)
    for key in map(str, node):
        if key not in types and not (key == "hydra" and not place):
            raise ValueError(f"{place}{key} is no key here and would change nothing{did_you_mean(key, types)}")
        child = None if OmegaConf.is_missing(node, key) or key == "hydra" else node._get_node(key)
        if is_dataclass(types.get(key)) and isinstance(child, DictConfig):
            _check_fields(types[key], child, f"{place}{key}.")


def _check_callbacks(callbacks: Mapping[str, Any]) -> None:
    known = _option("callbacks", "default")
    for name, node in callbacks.items():
        if node is None and name not in known:
            raise ValueError(f"callbacks.{name} is switched off, but there is none of that name{did_you_mean(name, known)}")
        if node is not None and not (isinstance(node, Mapping) and node.get("_target_")):
            raise ValueError(f"callbacks.{name} has no _target_, the class of the callback{did_you_mean(name, known)}")


@cache  # a command reads its configuration twice: before the imports and after them
def _option(group: str, option: str) -> Mapping[str, Any]:
    content = OmegaConf.to_container(OmegaConf.load(Path(config_dir()) / group / f"{option}.yaml"), resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key != "defaults"}


def _keys_of(group: str, part: str | None = None) -> set[str]:
    """Return the keys of all options of a group, or of one part of them."""
    options = [_option(group, path.stem) for path in (Path(config_dir()) / group).glob("*.yaml")]
    return {key for option in options for key in (option if part is None else option.get(part, {}))}


def _check_places(config: Any) -> None:
    """Check that folders can be made and written to."""
    paths = getattr(config, "paths", None)
    if paths is not None:
        check_place("paths.cache", paths.cache, written=False)  # one that holds everything may be read-only
    if isinstance(config, TrainConfig) and config.resume is None:
        check_place("paths.runs", config.paths.runs)
    if getattr(config, "out", None) is not None:
        check_place("out", config.out)


def _require_there(key: str, value: Any) -> None:
    try:
        there = isinstance(value, str) and value.strip() != "" and Path(value).expanduser().exists()
    except (OSError, ValueError) as error:
        raise ValueError(f"{key}={value} is no path: {error}") from error
    if not there:
        raise FileNotFoundError(f"{key}={value}: there is no such file or folder")


def check_place(key: str, value: str, *, written: bool = True) -> None:
    """Raise ValueError naming `key` unless the folder `value` is there or can be made; `written`: it must be writable itself."""
    if not value.strip():
        raise ValueError(f"{key} is empty: it must name a folder")
    folder = Path(value).expanduser()
    for place in (folder, *folder.absolute().parents):
        try:
            there = os.path.lexists(place)
        except (OSError, ValueError) as error:
            raise ValueError(f"{key}={value} is no path: {error}") from error
        if not there:
            continue
        if not place.is_dir():
            raise ValueError(f"{key}={value} must be a folder, but {place} is a file, or a link to nothing: choose another {key}")
        if not os.access(place, os.W_OK | os.X_OK) and (written or place != folder):
            raise ValueError(f"{key}={value}: no permission to write in {place}: choose another {key}")
        return
