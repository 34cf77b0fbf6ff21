"""A value with its spread over seeds, and when two such values differ by more than that."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MANY_SPREADS = 2.0  # a difference counts when it exceeds so many standard deviations of the difference of two single runs


@dataclass(frozen=True)
class Spread:
    """Values of one score over decoding seeds."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of some values, at least one."""
        if not values:
            raise ValueError("a spread needs at least one value")
        return cls(tuple(float(value) for value in values))

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.values)

    @property
    def is_finite(self) -> bool:
        """Whether every value is a finite number."""
        return all(math.isfinite(value) for value in self.values)

    @property
    def mean(self) -> float:
        """Mean over seeds; NaN where a value is not finite."""
        return statistics.fmean(self.values) if self.is_finite else math.nan

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds (n - 1), None for a single one or where a value is not finite."""
        return statistics.stdev(self.values) if self.n > 1 and self.is_finite else None

    def exceeds(self, other: "Spread") -> bool | None:
        """Return whether the difference of the means exceeds the spread; None when a spread is unknown."""
        if self.sd is None or other.sd is None:
            return None
        return abs(self.mean - other.mean) > MANY_SPREADS * math.hypot(self.sd, other.sd)

    def as_dict(self) -> dict[str, Any]:
        """Return mean, sd, n and the values, for JSON."""
        return {"mean": self.mean, "sd": self.sd, "n": self.n, "values": list(self.values)}

    def __str__(self) -> str:
        if self.sd is None:
            return f"{self.mean:.4g}"
        # two digits of the spread, or four of the mean where there is none
        digits, size = (2, self.sd) if self.sd > 0 else (4, abs(self.mean))
        decimals = 0 if size <= 0 else max(0, min(8, digits - 1 - math.floor(math.log10(size))))
        return f"{self.mean:.{decimals}f} ± {self.sd:.{decimals}f}"
