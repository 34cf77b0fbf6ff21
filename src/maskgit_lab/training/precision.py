"""Which precision this machine multiplies fastest in, measured: processors differ by a factor of a hundred."""

import hashlib
import logging
import math
import os
import platform
import time
from pathlib import Path

import torch

from maskgit_lab.machine.checksum import DamagedFileError
from maskgit_lab.machine.json_file import read_json, write_json

log = logging.getLogger("maskgit_lab")

MEASURED = "auto"
# what stage 2 can be trained in: weights stay float32; Lightning's short names mean the same
PRECISIONS = (MEASURED, "32-true", "bf16-mixed", "16-mixed", "32", "bf16", "16")
BF16_ADVANTAGE = 1.3  # bf16 must win clearly: autocast's casts cost time that a bare product does not show
# Sides of square products, and how many times slower bf16 may be there before it is clearly behind. Small ones come first: a
# processor without bf16 takes a hundred times as long, seconds for a product that a fast one does in a millisecond. They are
# lenient, because the cost of the call weighs more in them.
STAGES = ((128, 10.0), (256, 1.5), (512, 1.0))
# Other programs take a core for some milliseconds at a time, and one such gap made bf16 look a hundred times slower: products
# are timed in turns for longer than that, and the best of each counts.
TIMED_SECONDS = 0.02
LEAST_PAIRS = 3  # where one product takes longer than all that
LEAST_KEPT = 0.001  # three decimals are kept, and 0 is no speed
MOST_TOLD = 100  # times slower; beyond, the number says no more


def resolve_precision(precision: str, accelerator: str, *, single: bool = True, memory: Path | None = None) -> tuple[str, str]:
    """Choose Lightning's precision for a configured one.

    Args:
        precision: "auto" or one of Lightning's names, which passes through.
        accelerator: Lightning's accelerator; "auto" takes CUDA where there is one.
        single: one process trains. Several on the CPU do not measure: each might choose another precision.
        memory: folder in which the answer of this machine is kept, so that a run and its continuation get the same. None = measure.

    Returns:
        The precision, and a sentence that says why.
    """
    if precision != MEASURED:
        return precision, f"precision {precision} as configured"
    if accelerator != "cpu" and torch.cuda.is_available():
        chosen = "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
        return chosen, f"precision {chosen} on {torch.cuda.get_device_name()}"
    if accelerator not in ("cpu", "auto"):
        return "32-true", f"precision 32-true on {accelerator}"
    if not single:
        return ("32-true", "precision 32-true on several processes; trainer.precision=bf16-mixed where the CPU is fast in it")
    speed = bf16_speed() if memory is None else _remembered(memory / f"{_machine()}.json")
    chosen = "bf16-mixed" if speed > BF16_ADVANTAGE else "32-true"
    return chosen, f"precision {chosen}: bf16 products run {_in_words(speed)} float32 on this processor"


def autocast_dtype(precision: str) -> torch.dtype | None:
    """Return the type in which Lightning runs the matrix products of a precision, None for the weights' own."""
    return {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)


def bf16_speed() -> float:
    """Return how many times as fast as in float32 this CPU multiplies in bf16; takes less than a tenth of a second."""
    speed = 1.0
    for size, lenience in STAGES:
        speed = _speed_of(size)
        if speed < 1 / lenience:  # nothing larger is asked, so this is looked at twice
            speed = max(speed, _speed_of(size))
        if speed < 1 / lenience:
            break
    return speed


def _speed_of(size: int) -> float:
    """Return the ratio for one size of product: the best of each type, timed in turns."""
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    end = time.perf_counter() + TIMED_SECONDS
    while len(times[torch.bfloat16]) < LEAST_PAIRS or time.perf_counter() < end:
        for dtype, taken in times.items():
            taken.append(_product_seconds(dtype, size))
    return min(times[torch.float32]) / min(times[torch.bfloat16])


def _product_seconds(dtype: torch.dtype, size: int) -> float:
    """Return the time of one product."""
    a = torch.ones(size, size, dtype=dtype)
    start = time.perf_counter()
    a @ a
    return time.perf_counter() - start


def _in_words(speed: float) -> str:
    """Say a ratio in digits that mean something: no 0.0x, no 1.5e+02."""
    if speed >= 0.95:
        return f"{speed:.1f}x as fast as"
    if speed < 1 / MOST_TOLD:
        return f"more than {MOST_TOLD} times slower than"
    return f"{1 / speed:.{0 if speed < 0.1 else 1}f} times slower than"


def _remembered(path: Path) -> float:
    """Return the speed that was measured here before, or measure and keep it.

    What earlier versions kept, in a .txt, is not read: a busy core decided it now and then.
    """
    try:
        speed = float(read_json(path, remedy="It is measured again")["bf16_speed"])
    except DamagedFileError as error:
        log.warning(f"Cache: {error}")
        speed = math.nan
    except (OSError, ValueError, KeyError, TypeError):
        speed = math.nan  # not there, or no number
    if math.isfinite(speed) and speed > 0:
        return speed
    speed = max(round(bf16_speed(), 3), LEAST_KEPT)
    write_json(path, {"bf16_speed": speed})
    return speed


def _machine() -> str:
    """Return a name for what decides the speed: processor, instructions in use, torch and its threads."""
    parts = [
        processor_name(), torch.backends.cpu.get_cpu_capability(), os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        torch.__version__, str(torch.get_num_threads()),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def processor_name() -> str:
    """Return the processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
