"""The keys of every command: named, typed values. A key that is not listed here is refused by name.

Hydra checks the command line against these; `assembly.read` makes objects of them, and no DictConfig goes further. `dict[str, Any]`
is a group whose keys its options decide (conf/GROUP/OPTION.yaml).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

Group = dict[str, Any]
PERCEPTUAL_LOSS = "maskgit_lab.models.perceptual.PerceptualLoss"


@dataclass
class Paths:
    """Where runs and derived files go."""

    runs: str = MISSING
    cache: str = MISSING

    @property
    def cache_folder(self) -> Path:
        """Folder of derived files, safe to delete."""
        return Path(self.cache).expanduser()

    @property
    def precision(self) -> Path:
        """Folder that keeps how fast this machine multiplies."""
        return self.cache_folder / "precision"


@dataclass
class Metrics:
    """What distances are measured with."""

    extractor: Group = MISSING


@dataclass
class TokenizerConfig:
    """Stage 1."""

    checkpoint: str | None = None
    seed: int | None = None
    mean: list[float] = MISSING
    std: list[float] = MISSING
    model: Group = MISSING
    training: Group = MISSING


@dataclass
class DecoderConfig:
    """The decoder that reads the known pixels."""

    model: Group | None = MISSING  # None (decoder=plain) = the tokenizer's own decoder
    training: Group = MISSING


@dataclass
class ModelConfig:
    """The trained networks."""

    transformer: Group = MISSING
    context: Group | None = None


@dataclass
class TrainingConfig:
    """What stage 2 learns from."""

    mask_region: str = MISSING
    encode_masked: bool = MISSING
    label_smoothing: float = MISSING
    mask_dilation: Any = 0  # an interpolation, as mask_schedule; runs from before have neither this nor mask_share
    mask_share: list[float] = field(default_factory=lambda: [0.0, 1.0])
    mask_schedule: Any = MISSING  # a group; Hydra overrides no typed node that is an interpolation
    compile: Any = False  # bool or str


def _give_perceptual_loss(training: Any, weights: str | None) -> None:
    if weights is not None and isinstance(training, dict) and training.get("perceptual") is None:
        training["perceptual"] = {"_target_": PERCEPTUAL_LOSS, "weights": weights}


@dataclass
class TrainConfig:
    """Root keys of `train` and `train_tokenizer`, and of the config.yaml in a run folder."""

    name: str = MISSING
    seed: int = 0
    tags: list[str] = field(default_factory=list)
    notes: str = ""
    resume: str | None = None
    force: bool = False
    checkpoint: str = "last"
    reuse: str = "sweep"
    speed: str = "fast"  # runs from before the key were fast
    resolution: int | None = None  # pixels per side; runs from before the key say it of data and tokenizer only
    perceptual_weights: str | None = None
    paths: Paths = field(default_factory=Paths)
    data: Group = MISSING
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    decoder: DecoderConfig | None = None
    mask_schedule: Group = MISSING
    decode: Group = MISSING
    training: TrainingConfig = field(default_factory=TrainingConfig)
    optimizer: Group = MISSING
    trainer: Group = MISSING
    callbacks: Group = MISSING
    logger: Group = MISSING
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        """Give the stages that have no perceptual loss of their own the one of `perceptual_weights`."""
        if self.decoder is not None and self.decoder.model is None:
            self.decoder = None
        for stage in (self.tokenizer, self.decoder):
            if stage is not None:
                _give_perceptual_loss(stage.training, self.perceptual_weights)

    @property
    def stage1_seed(self) -> int:
        """Seed of stage 1."""
        return self.seed if self.tokenizer.seed is None else self.tokenizer.seed


@dataclass
class TrainDecoderConfig:
    """Root keys of `train_decoder`."""

    run: str = MISSING
    checkpoint: str = "best"
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    seed: int = 0
    overwrite: bool = False
    accelerator: str = "auto"
    perceptual_weights: str | None = None
    paths: Paths = field(default_factory=Paths)

    def __post_init__(self) -> None:
        """Use `perceptual_weights` where the decoder has no perceptual loss of its own."""
        _give_perceptual_loss(self.decoder.training, self.perceptual_weights)


@dataclass
class InpaintConfig:
    """Root keys of `inpaint`."""

    run: str | None = None
    vqgan: str | None = None
    transformer: str | None = None
    num_heads: int = 16
    images: Any = MISSING  # str, or list of str
    masks: str | None = None
    mask_suffix: str | None = None
    mask_hole: str = "white"
    max_hole_share: float = 0.6
    max_pixels: int = 120_000_000
    skip_bad: bool = False
    strategy: str = "crop"
    expand: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    seamless: bool = True
    match_histogram: bool = False
    num_samples: int = 1
    seed: int = 0
    hole_style: str = "brush"
    hole_share: list[float] = field(default_factory=lambda: [0.10, 0.30])
    decode: Group = MISSING
    mask_schedule: Group | None = None
    checkpoint: str = "best"
    use_decoder: str | None = None
    out: str = MISSING
    overwrite: bool = False
    save_steps: bool = True
    animation: bool = True
    device: str = "auto"
    speed: str | None = None
    batch_size: int = 32


@dataclass
class EvaluateConfig:
    """Root keys of `evaluate`."""

    run: str | None = None
    checkpoint: str = "best"
    vqgan: str | None = None
    transformer: str | None = None
    num_heads: int = 16
    data: Group | None = None
    schedules: list[str] = field(default_factory=list)
    sweet_spots: list[int] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    decode: Group = MISSING
    max_images: int | None = None
    outputs: str | None = None
    truth: str | None = None
    masks: str | None = None
    mask_hole: str = "white"
    max_hole_share: float = 0.6
    max_pixels: int = 120_000_000
    lpips: str | None = None
    lpips_weights: str | None = None
    neighbours: int | None = 3
    discrimination: bool = True
    hole_bins: list[float] = field(default_factory=list)
    telea: bool = False
    out: str | None = None
    overwrite: bool = False
    batch_size: int = 64
    precision: str = "32-true"
    speed: str | None = None
    use_decoder: str | None = None
    device: str = "auto"
    metrics: Metrics = field(default_factory=Metrics)
    paths: Paths = field(default_factory=Paths)


@dataclass
class AuditConfig:
    """Root keys of `audit`."""

    near: float = 4.0
    num_pairs: int = 24
    out: str = "audit"
    overwrite: bool = False
    resolution: int | None = None
    data: Group = MISSING
    paths: Paths = field(default_factory=Paths)


@dataclass
class ReportConfig:
    """Root keys of `report`."""

    run: str = MISSING
    out: str | None = None


@dataclass
class AppConfig:
    """Root keys of `app`."""

    run: str = MISSING
    checkpoint: str = "best"
    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: list[str] = field(default_factory=list)
    max_upload_bytes: int = 30_000_000
    max_pixels: int = 40_000_000
    max_kept_bytes: int = 1_000_000_000
    max_queue: int = 8
    max_seconds: float = 120.0
    max_samples: int = 8
    max_steps: int = 64
    decode: Group = MISSING
    mask_schedule: Group | None = None
    seed: int = 0
    speed: str | None = None
    use_decoder: str | None = None
    device: str = "auto"


SCHEMAS: dict[str, type] = {
    "train": TrainConfig,
    "train_tokenizer": TrainConfig,
    "train_decoder": TrainDecoderConfig,
    "inpaint": InpaintConfig,
    "evaluate": EvaluateConfig,
    "audit": AuditConfig,
    "report": ReportConfig,
    "app": AppConfig,
}


def register() -> None:
    """Make the root schemas known to Hydra; safe to call twice."""
    for command, schema in SCHEMAS.items():
        ConfigStore.instance().store(name=f"{command}_schema", node=schema)
