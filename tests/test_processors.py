"""What depends on the processor's instructions is tested with fewer of them too: AVX2, no product in bf16, as most laptops have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
# oneDNN, torch's own kernels, MKL and OpenBLAS each have a switch
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}


@pytest.mark.processor
@pytest.mark.skipif(any(os.environ.get(name) != value for name, value in AVX2.items()), reason="the switches are not set")
def test_avx2_switches_are_obeyed():
    assert torch.backends.cpu.get_cpu_capability() == "AVX2"
    assert not torch.ops.mkldnn._is_mkldnn_bf16_supported()


@pytest.mark.slow
@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="no wider instructions here than those of AVX2")
def test_processor_tests_pass_with_avx2(pytestconfig: pytest.Config):
    # the files with the mark: to import all others for it would take as long as half of these tests
    files = [str(path) for path in sorted(ROOT.glob("tests/**/test_*.py")) if "pytest.mark.processor" in path.read_text()]
    assert len(files) > 10
    warned = [f"-W{rule}" for rule in pytestconfig.getoption("pythonwarnings") or []]  # what `make compat` lets pass
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *files, *warned, "-m", "processor", "-k", "not stop", "--numprocesses=0",
         "-p", "no:cacheprovider", "-rsp"],
        cwd=ROOT, env={**kept, **AVX2}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"PASSED tests/test_processors.py::{test_avx2_switches_are_obeyed.__name__}" in answer.stdout
    assert "this torch or processor has no oneDNN product in bfloat16" in answer.stdout  # the other path was taken
