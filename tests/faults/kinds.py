"""All kinds of harm, in the order in which they are done: what takes seconds first."""

from tests.faults import flips, full_disk, fuzz, hostile, kills, numbers, races
from tests.faults.fault import Fault

KINDS: dict[str, tuple[Fault, ...]] = {
    "numbers": numbers.FAULTS,
    "flips": flips.FAULTS,
    "fuzz": fuzz.FAULTS,
    "hostile": hostile.FAULTS,
    "races": races.FAULTS,
    "full_disk": full_disk.FAULTS,
    "kills": kills.FAULTS,
}
