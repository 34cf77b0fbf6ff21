"""Precision: what is configured stays, what is measured is said."""

import re

import pytest
import torch

from maskgit_lab.training.precision import autocast_dtype, resolve_precision


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_a_configured_precision_passes_through(precision: str):
    assert resolve_precision(precision, "cpu") == (precision, f"precision {precision} as configured")


def test_auto_measures_and_says_what_it_found():
    chosen, reason = resolve_precision("auto", "cpu")
    found = re.fullmatch(r"precision (\S+): bf16 products run ([\d.]+)x as fast as float32 here", reason)
    assert found is not None
    assert found[1] == chosen
    assert chosen == ("bf16-mixed" if float(found[2]) > 1.35 else "32-true") or 1.25 < float(found[2]) < 1.35


def test_an_accelerator_without_measurement_stays_exact():
    assert resolve_precision("auto", "mps")[0] == "32-true"


def test_autocast_types():
    assert autocast_dtype("bf16-mixed") == torch.bfloat16
    assert autocast_dtype("16-mixed") == torch.float16
    assert autocast_dtype("32-true") is None
