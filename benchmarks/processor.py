"""Which instruction set this process multiplies with, and how to make it take a narrower one than the processor has.

torch's own kernels, oneDNN, MKL and OpenBLAS choose one when they are loaded, and each has a switch, an environment variable.
"""

import os
import platform
import sys
from collections.abc import Mapping, MutableMapping

# switch of each library -> by instruction set, the value that lets it take no wider one
SWITCHES = {
    "ONEDNN_MAX_CPU_ISA": {"avx2": "AVX2", "avx512": "AVX512_CORE", "avx512_bf16": "AVX512_CORE_BF16"},
    "ATEN_CPU_CAPABILITY": {"avx2": "avx2", "avx512": "avx512", "avx512_bf16": "avx512"},
    "MKL_ENABLE_INSTRUCTIONS": {"avx2": "AVX2", "avx512": "AVX512", "avx512_bf16": "AVX512"},
    "OPENBLAS_CORETYPE": {"avx2": "Haswell", "avx512": "SkylakeX", "avx512_bf16": "SkylakeX"},
}
WIDTHS = ("baseline", "avx2", "avx512", "avx512_bf16", "amx")  # the narrowest first
NARROWER = WIDTHS[1:4]  # what a wider processor can be told to take
IN_WORDS = {
    "baseline": "neither AVX2 nor AVX-512", "avx2": "AVX2", "avx512": "AVX-512 without bf16", "avx512_bf16": "AVX-512 with bf16",
    "amx": "AMX", "cuda": "CUDA",
}  # fmt: skip
ONEDNN_WIDTHS = {"SSE41": "baseline", "AVX": "baseline", "AVX2": "avx2", "AVX512_CORE": "avx512", "AVX512_CORE_BF16": "avx512_bf16"}
ONEDNN_WIDTHS |= {"AVX2_VNNI": "avx2", "AVX2_VNNI_2": "avx2", "AVX512_CORE_VNNI": "avx512", "AVX512_CORE_FP16": "avx512_bf16"}


def switches(isa: str) -> dict[str, str]:
    """Return the environment in which a wider processor uses an instruction set of NARROWER."""
    return {name: values[isa] for name, values in SWITCHES.items()}


def set_switches(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the switches that are set, whoever set them."""
    return {name: environment[name] for name in SWITCHES if environment.get(name)}


def take(isa: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Begin this program anew with the switches of an instruction set; return only where they are set already.

    Raises:
        SystemExit: the processor, torch or a switch of the user's does not give that set.
    """
    if set_switches(environment) != switches(isa):
        sys.stdout.flush()
        os.execve(sys.executable, sys.orig_argv, {**environment, **switches(isa)})
    if (used := in_use(environment)) != isa:
        raise SystemExit(f"--isa {isa}: this processor uses {IN_WORDS.get(used, used)} with the switches of {IN_WORDS[isa]}")


def in_use(environment: Mapping[str, str] = os.environ) -> str:
    """Return the instruction set of this process's products: a name of WIDTHS, or the kind of processor where it is not an x86."""
    import torch

    widest = widest_here()
    if widest not in WIDTHS:
        return widest
    allowed = ONEDNN_WIDTHS.get(environment.get("ONEDNN_MAX_CPU_ISA", "").upper(), widest)
    kernels = {"DEFAULT": "baseline", "AVX2": "avx2"}.get(torch.backends.cpu.get_cpu_capability(), widest)
    return min(widest, allowed, kernels, key=WIDTHS.index)


def widest_here() -> str:
    """Return the widest instruction set of the processor, whatever the switches say."""
    import torch

    if platform.machine().lower() not in ("x86_64", "amd64"):
        return platform.machine().lower()
    asked = {
        "amx": torch.cpu._is_amx_tile_supported, "avx512_bf16": torch.cpu._is_avx512_bf16_supported,
        "avx512": torch.cpu._is_avx512_supported, "avx2": torch.cpu._is_avx2_supported,
    }  # fmt: skip
    return next((isa for isa, has in asked.items() if has()), "baseline")
