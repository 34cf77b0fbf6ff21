"""Which precision this machine multiplies fastest in, measured, because processors differ by a factor of ten."""

import time

import torch

# bf16 must win clearly: autocast's casts cost time that a bare product does not show
BF16_ADVANTAGE = 1.3


def resolve_precision(precision: str, accelerator: str, *, alone: bool = True) -> tuple[str, str]:
    """Return Lightning's precision for a configured one and a sentence that says why.

    Args:
        precision: "auto" or one of Lightning's names, which passes through.
        accelerator: Lightning's accelerator; "auto" takes CUDA where there is one.
        alone: one process trains. Several on the CPU do not measure: each might choose another precision.
    """
    if precision != "auto":
        return precision, f"precision {precision} as configured"
    if accelerator != "cpu" and torch.cuda.is_available():
        chosen = "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
        return chosen, f"precision {chosen} on {torch.cuda.get_device_name()}"
    if accelerator not in ("cpu", "auto"):
        return "32-true", f"precision 32-true on {accelerator}"
    if not alone:
        return (
            "32-true",
            "precision 32-true on several processes; trainer.precision=bf16-mixed where the CPU is fast in it",
        )
    ratio = _product_seconds(torch.float32) / _product_seconds(torch.bfloat16)
    chosen = "bf16-mixed" if ratio > BF16_ADVANTAGE else "32-true"
    return chosen, f"precision {chosen}: bf16 products run {ratio:.1f}x as fast as float32 here"


def autocast_dtype(precision: str) -> torch.dtype | None:
    """Return the type in which Lightning runs the matrix products of a precision, None for the weights' own."""
    return {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision)


def _product_seconds(dtype: torch.dtype, size: int = 768, repeats: int = 5) -> float:
    a = torch.ones(size, size, dtype=dtype)
    for _ in range(2):
        a @ a
    start = time.perf_counter()
    for _ in range(repeats):
        a @ a
    return (time.perf_counter() - start) / repeats
