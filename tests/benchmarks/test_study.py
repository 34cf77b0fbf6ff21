"""The images that a study measures runs on."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from benchmarks.study import add_arguments, study, val_set
from maskgit_lab.assembly.load import load_splits
from tests.support.workplace import FIXTURE_RUN


def test_validation_holes_have_the_share_that_is_asked_for_else_the_runs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # where the run's cache is
    splits = load_splits(FIXTURE_RUN)
    own, same, large = (val_set(FIXTURE_RUN, splits, 6, share) for share in (None, (0.1, 0.3), (0.5, 0.6)))
    np.testing.assert_array_equal(own.holes, same.holes)
    assert own.fingerprint == same.fingerprint
    assert own.holes.mean((1, 2)).max() < 0.35
    assert large.holes.mean((1, 2)).min() > 0.45
    assert large.fingerprint != own.fingerprint
    np.testing.assert_array_equal(large.truth, own.truth)


def test_a_share_is_refused_where_holes_are_given():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit, match="--on val"):
        study(FIXTURE_RUN, parser.parse_args(["--on", "test", "--hole-share", "0.1", "0.3"]))
