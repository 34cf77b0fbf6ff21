"""Temperatures step by step, from lists that somebody searched for (Ni et al. 2024, AutoNAT)."""

from collections.abc import Sequence
from dataclasses import dataclass

from maskgit_lab.core.policies.confidence import Confidence
from maskgit_lab.core.ranges import require_number


@dataclass(frozen=True)
class Vectors(Confidence):
    """The confidence order with a temperature of the order and of the tokens for each step.

    A list is stretched over decode.num_steps: step t of T reads it at t / T, linearly between its values. The third list of the
    paper, how many stay hidden, is mask_schedule=vector.

    Raises:
        ValueError: when a list is empty or holds what is no temperature.
    """

    order_temperatures: Sequence[float]
    token_temperatures: Sequence[float]
    sets_token_temperature = True

    def __post_init__(self) -> None:
        for name in ("order_temperatures", "token_temperatures"):
            values = getattr(self, name)
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise ValueError(f"decode.policy.{name} must be a list of temperatures, one for each step, got {values!r}")
            for value in values:
                require_number(f"decode.policy.{name}", value, least=0)

    def token_temperature(self, progress: float, setting: float, *, order_temperature: float) -> float:
        """Return the list's value."""
        return read_at(self.token_temperatures, progress)

    def order_temperature(self, progress: float, setting: float) -> float:
        """Return the list's value."""
        return read_at(self.order_temperatures, progress)


def read_at(values: Sequence[float], progress: float) -> float:
    """Return values 1 to n at progress r in (0, 1]: value t where r = t / n, linear between, the first before 1 / n."""
    place = max(progress * len(values) - 1, 0.0)
    left = min(int(place + 1e-9), len(values) - 1)  # t / n * n may round below t
    right = min(left + 1, len(values) - 1)
    share = max(place - left, 0.0)
    return values[left] * (1 - share) + values[right] * share
