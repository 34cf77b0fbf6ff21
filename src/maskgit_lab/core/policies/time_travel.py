"""Go back in time now and then, so that the fill grows together with what surrounds it (after RePaint, Lugmayr et al. 2022)."""

from dataclasses import dataclass

from maskgit_lab.core.policies.confidence import Confidence
from maskgit_lab.core.ranges import require_number


@dataclass(frozen=True)
class TimeTravel(Confidence):
    """The confidence order; after every `jump` steps random tokens are hidden again, as many as `jump` steps before, and the steps
    are taken once more, `repeats` times.

    T steps cost T + repeats * jump * floor(T / jump) passes. A step in the middle of a jump ends when it is first reached, the last
    one of a jump after all its repeats: where decoding stops there, it stops with that.

    Raises:
        ValueError: when a number is out of its range.
    """  # fmt: skip

    jump: int = 3  # steps
    repeats: int = 1
    refreshes = False

    def __post_init__(self) -> None:
        require_number("decode.policy.jump", self.jump, least=1, whole=True, unit="step")
        require_number("decode.policy.repeats", self.repeats, least=0, most=1000, whole=True)

    def walk(self, stop: int) -> list[int]:
        """Return the steps with every jump repeated."""
        steps: list[int] = []
        for start in range(0, stop, self.jump):
            block = list(range(start, min(start + self.jump, stop)))
            steps += block * (1 + self.repeats if len(block) == self.jump else 1)
        return steps
