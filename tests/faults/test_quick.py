"""A small part of `make faults`, with seeds that do not change, and the harness itself: it must see what is lost."""

import os
import random
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.bench import Bench, require
from tests.faults.caged import try_caged
from tests.faults.fault import Fault, NotHereError, try_here
from tests.faults.kinds import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]  # one process: all look at the same finished run

QUICK = [fault for faults in KINDS.values() for fault in faults if fault.quick]


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("faults")) as bench:
        yield bench


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.name)
def test_nothing_is_lost(fault: Fault, bench: Bench):
    tally = (try_caged if fault.caged else try_here)(fault, bench, range(fault.quick))
    if tally.not_here:
        pytest.skip(tally.not_here)
    assert tally.tried == fault.quick
    assert tally.lost == 0, tally.first


def attempt_that(what: str, bench: Bench, rng: random.Random) -> None:
    """Survive even draws, and lose the others in some way."""
    if rng.random() < 0.5:
        return
    if what == "says so":
        require(False, "lost")
    elif what == "mutters":
        warnings.warn("something", stacklevel=1)
    elif what == "hangs":
        time.sleep(60)
    elif what == "dies":
        os.abort()
    elif what == "eats memory":
        bytearray(2**40)
    elif what == "is not here":
        raise NotHereError("no such device")


@pytest.mark.parametrize("what", ["says so", "mutters", "hangs", "dies", "eats memory", "is not here"])
def test_try_caged_sees_what_is_lost(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.faults.caged.PATIENCE", 1)
    fault = Fault(name=what, attempt=lambda bench, rng: attempt_that(what, bench, rng), times=6, caged=True)
    expected = sum(random.Random(f"{what}/{seed}").random() >= 0.5 for seed in range(6))
    assert 0 < expected < 6
    tally = try_caged(fault, Bench(tmp_path), range(6))
    if what == "is not here":
        assert tally.not_here == "no such device"
        assert tally.lost == 0
        return
    assert (tally.tried, tally.lost) == (6, expected)
    assert tally.first.startswith("seed ")


def test_try_here_says_what_is_lost_and_with_which_seed(tmp_path: Path):
    fault = Fault(name="odd", attempt=lambda bench, rng: require(rng.random() < 0.5, "too large"), times=9)
    tally = try_here(fault, Bench(tmp_path), range(9))
    first = next(seed for seed in range(9) if random.Random(f"odd/{seed}").random() >= 0.5)
    assert tally.tried == 9
    assert tally.first == f"seed {first}: too large"
    assert tally.survived + tally.lost == 9
