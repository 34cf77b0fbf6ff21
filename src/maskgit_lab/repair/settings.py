"""How photos are filled."""

from dataclasses import dataclass

from maskgit_lab.repair.plan import Geometry

STRATEGIES = ("crop", "resize", "original")


@dataclass(frozen=True)
class Settings:
    """How squares are chosen and pasted."""

    geometry: Geometry
    strategy: str = "crop"
    blend: int = 0  # `decode.mask_blend_pixels`, in pixels of the network
    match_histogram: bool = False
    seamless: bool = True  # fit fills to the known pixels beside their holes; not at the network's own resolution

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, got {self.strategy!r}")
