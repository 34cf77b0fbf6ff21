"""The root keys of every command's configuration: a key that is not listed here is refused by name."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from maskgit_lab.machine.ranks import shared_run_dir


@dataclass
class TrainConfig:
    """Root keys of `train` and `train_tokenizer`; a key that is not here is refused by name."""

    name: str = MISSING
    seed: int = 0
    tags: list[str] = field(default_factory=list)
    notes: str = ""
    resume: str | None = None
    reuse: str = "sweep"
    speed: str = "fast"
    paths: dict[str, Any] = MISSING
    data: dict[str, Any] = MISSING
    tokenizer: dict[str, Any] = MISSING
    model: dict[str, Any] = MISSING
    mask_schedule: dict[str, Any] = MISSING
    decode: dict[str, Any] = MISSING
    training: dict[str, Any] = MISSING
    optimizer: dict[str, Any] = MISSING
    trainer: dict[str, Any] = MISSING
    callbacks: dict[str, Any] = MISSING
    logger: dict[str, Any] = MISSING
    metrics: dict[str, Any] = MISSING


@dataclass
class InpaintDecode:
    """Decoding of `inpaint`; None = as the run was configured."""

    num_steps: int | None = None
    sweet_spot: int | None = None
    choice_temperature: float | None = None
    mask_dilation: int | None = None
    refresh_every: int | None = None
    refresh_ring: int | None = None


@dataclass
class InpaintConfig:
    """Root keys of `inpaint`."""

    run: str = MISSING
    images: str = MISSING
    masks: str | None = None
    out: str = MISSING
    checkpoint: str = "best"
    mask_hole: str = "white"
    hole_style: str = "brush"
    hole_share: list[float] = field(default_factory=lambda: [0.10, 0.30])
    decode: InpaintDecode = field(default_factory=InpaintDecode)
    mask_schedule: dict[str, Any] | None = None
    batch_size: int = 32
    seed: int = 0
    save_steps: bool = True
    speed: str | None = None
    device: str = "auto"


@dataclass
class EvaluateConfig:
    """Root keys of `evaluate`."""

    run: str | None = None
    checkpoint: str = "best"
    schedules: list[str] = field(default_factory=list)
    sweet_spots: list[int] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    num_steps: int | None = None
    choice_temperature: float | None = None
    mask_dilation: int | None = None
    max_images: int | None = None
    outputs: str | None = None
    truth: str | None = None
    masks: str | None = None
    mask_hole: str = "black"
    lpips: str | None = None
    out: str | None = None
    batch_size: int = 64
    precision: str = "32-true"
    speed: str | None = None
    device: str = "auto"
    metrics: dict[str, Any] = MISSING
    paths: dict[str, Any] = MISSING


@dataclass
class AuditConfig:
    """Root keys of `audit`."""

    near: float = 4.0
    num_pairs: int = 24
    out: str = "audit"
    data: dict[str, Any] = MISSING
    paths: dict[str, Any] = MISSING


@dataclass
class ReportConfig:
    """Root keys of `report`."""

    run: str = MISSING
    out: str | None = None


def _join_run_dir(resume: str | None, fresh: str) -> str:
    return str(Path(resume).resolve()) if resume else shared_run_dir(fresh)


def register() -> None:
    """Make the root schemas and the resolver known to Hydra; safe to call twice."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="inpaint_schema", node=InpaintConfig)
    store.store(name="evaluate_schema", node=EvaluateConfig)
    store.store(name="audit_schema", node=AuditConfig)
    store.store(name="report_schema", node=ReportConfig)
    OmegaConf.register_new_resolver("maskgit.run_dir", _join_run_dir, replace=True)
