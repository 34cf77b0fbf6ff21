"""How much the page's server does for whoever reaches it; every bound is a key of conf/app.yaml."""

from dataclasses import dataclass

from maskgit_lab.core.ranges import require_number


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one server.

    Raises:
        ValueError: a value out of range; the message names its key.
    """

    max_upload_bytes: int = 30_000_000  # of one file
    max_pixels: int = 40_000_000  # of one image, by its header
    max_kept_bytes: int = 1_000_000_000  # of pixels of all images that are kept; the least recently used go first
    max_queue: int = 8  # fills that wait behind the one that runs
    max_seconds: float = 120.0  # of one fill, and of one upload
    max_samples: int = 8  # candidates of one fill
    max_steps: int = 64  # decoding steps of one fill

    def __post_init__(self) -> None:
        for key in ("max_upload_bytes", "max_pixels", "max_kept_bytes", "max_samples", "max_steps"):
            require_number(key, getattr(self, key), least=1, whole=True)
        require_number("max_queue", self.max_queue, least=0, whole=True)
        require_number("max_seconds", self.max_seconds, above=0, unit="seconds")
