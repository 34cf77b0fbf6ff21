"""Blocks that are freed serve the next tensors, without a page fault for each of their pages."""

import platform
from pathlib import Path

import pytest

from tests.support.commands import run_code

pytestmark = pytest.mark.thorough

SCRIPT = """
import resource, torch
from maskgit_lab.machine.freed_memory import keep_freed_memory

def faults_of_tensors():  # of 64 MiB, above what glibc keeps by itself
    for i in range(16):
        if i == 12:  # the heap has settled: an early tensor may find a small object in its way
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults_of_tensors(), keep_freed_memory(), faults_of_tensors())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library's allocator")
def test_keep_freed_memory_gives_large_tensors_the_pages_of_those_before(tmp_path: Path):
    out = run_code(SCRIPT, tmp_path).split()
    assert out[1] == "True"
    assert int(out[2]) < int(out[0]) / 50


def test_keep_freed_memory_leaves_another_allocator_alone(monkeypatch: pytest.MonkeyPatch):
    from maskgit_lab.machine import freed_memory

    monkeypatch.setattr(freed_memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", None)
    assert freed_memory.keep_freed_memory() is False
