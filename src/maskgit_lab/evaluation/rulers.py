"""Which rulers are laid on outputs besides the distances and the measures of the hole."""

from dataclasses import dataclass, field
from typing import Any

from maskgit_lab.core.ranges import require_number
from maskgit_lab.evaluation.hole_bins import HoleBins
from maskgit_lab.evaluation.perceptual_similarity import PerceptualSimilarity


@dataclass(frozen=True)
class Rulers:
    """What `evaluate` measures more; nothing by default, for rows whose table does not show it.

    Raises:
        ValueError: neighbours that are no number from 1.
    """

    neighbours: int | None = None  # k of precision and recall, None = without them
    discrimination: bool = False  # P-IDS and U-IDS
    lpips: PerceptualSimilarity | None = None
    bins: HoleBins = field(default_factory=HoleBins)  # of the hole's share, for scores of each bin

    def __post_init__(self) -> None:
        require_number("neighbours", self.neighbours, least=1, whole=True, or_null=True)

    @property
    def protocol(self) -> dict[str, Any]:
        """Return what a score was measured with, beside the extractor's."""
        found: dict[str, Any] = {} if self.neighbours is None else {"neighbours": self.neighbours}
        return found | ({} if self.lpips is None else self.lpips.protocol)


PLAIN = Rulers()
