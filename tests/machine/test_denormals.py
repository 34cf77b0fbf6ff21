"""Denormal numbers: zero in a process that asked for it, its threads and its gradients included."""

from pathlib import Path

import pytest

from tests.support.commands import run_code

pytestmark = pytest.mark.thorough

CODE = """
from maskgit_lab.machine.denormals import flush_denormals
if FLUSHED:
    assert flush_denormals()
import torch
torch.set_num_threads(2)
x = torch.full((2**20,), 1e-30, requires_grad=True)  # enough for both threads
y = x * 1e-10
y.backward(torch.full_like(y, 1e-30))
print(int((y != 0).sum()), int((x.grad != 0).sum()))
"""


def counts(flushed: bool, folder: Path) -> list[str]:
    return run_code(CODE.replace("FLUSHED", str(flushed)), folder).split()


def test_flush_denormals_makes_them_zero_in_every_thread(tmp_path: Path):
    assert counts(True, tmp_path) == ["0", "0"]


def test_flush_denormals_not_called_leaves_them_there(tmp_path: Path):
    assert counts(False, tmp_path) == [str(2**20)] * 2
