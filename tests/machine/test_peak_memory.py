"""The peak of a process is at least what it holds, and does not fall."""

import re

import torch

from maskgit_lab.machine.peak_memory import peak_memory, peak_memory_line


def test_peak_memory_is_at_least_what_is_held_and_stays_when_it_is_let_go():
    held = torch.ones(2**26)  # a quarter GiB
    peak = peak_memory()["host"]
    assert 0.25 <= peak < 64
    del held
    assert peak_memory()["host"] >= peak


def test_peak_memory_line_names_the_unit():
    assert re.fullmatch(r"Peak memory: host \d+\.\d GiB(, device \d+\.\d GiB)?", peak_memory_line())
