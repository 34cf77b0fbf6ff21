"""A fault, how often it was tried, and what was lost: the vocabulary of every kind."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.bench import Bench


SHOWN_REASON = 60  # characters: enough to tell kinds of losses apart


class LostError(AssertionError):
    """Something was lost, trusted or answered wrong."""


class NotHereError(Exception):
    """The machine does not allow to try this; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to do harm."""

    name: str
    attempt: Callable[["Bench", random.Random], None]  # does the harm once; raises LostError, or any error that nobody may see
    times: int  # tries of `make faults`
    quick: int = 0  # tries of `make test`, with seeds that do not change
    needs: tuple[Callable[["Bench"], object], ...] = ()  # what is made on the bench before the first try
    caged: bool = False  # each try ends within seconds: in a process with bounds of time and memory, and an eye on stderr


@dataclass
class Tally:
    """What came of a fault."""

    fault: str
    tried: int = 0
    lost: int = 0
    first: str = ""  # of what was lost: seed and message
    not_here: str = ""
    seconds: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)  # of what was lost, how often

    @property
    def survived(self) -> int:
        """How many tries ended as they should."""
        return self.tried - self.lost

    def note(self, seed: int, message: str | None) -> None:
        """Count a try; with a message it was lost."""
        self.tried += 1
        if message is not None:
            self.lost += 1
            message = " ".join(message.split())
            self.first = self.first or f"seed {seed}: {message[:500]}"
            kind = message[:SHOWN_REASON]
            self.reasons[kind] = self.reasons.get(kind, 0) + 1


def seeded(fault: Fault, seed: int) -> random.Random:
    """Return the draws of one try: the same in every process."""
    return random.Random(f"{fault.name}/{seed}")


def lost_in(fault: Fault, bench: "Bench", seed: int) -> str | None:
    """Try once; return what was lost, None when nothing was. NotHereError is passed on."""
    try:
        fault.attempt(bench, seeded(fault, seed))
    except (NotHereError, KeyboardInterrupt):
        raise
    except LostError as error:
        return str(error)
    except BaseException as error:  # whatever it is: a user would have seen it
        return f"{type(error).__name__}: {error}"
    return None


def try_here(fault: Fault, bench: "Bench", seeds: Iterable[int], *, seconds: float | None = None) -> Tally:
    """Try with every seed, or until the time is over, in this process."""
    tally, start = Tally(fault.name), time.monotonic()
    for seed in seeds:
        if seconds is not None and tally.tried and time.monotonic() - start > seconds:
            break
        try:
            tally.note(seed, lost_in(fault, bench, seed))
        except NotHereError as reason:
            tally.not_here = str(reason)
            break
    tally.seconds = time.monotonic() - start
    return tally
