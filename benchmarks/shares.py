"""Where our time goes, by operation: products, attention, and everything else; for the limits in docs/speed.md.

    python -m benchmarks.shares --size small --isa avx2
    python -m benchmarks.shares --size lab                      # in bf16 where that is fast, as it is trained and decoded there

Seconds are summed over threads' operators as torch's profiler sees them; it adds to short ones, so the share of products is a
lower bound. *Everything else free* is the ratio that would come of a measured one if all other operations took no time.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.against_listing import NUM_STEPS, REFRESH_EVERY, Bench, TrainingStep, our_table
from benchmarks.processor import NARROWER, take
from benchmarks.subjects import pictures, subject
from maskgit_lab.core.decoding import DecodeSettings
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Cosine
from maskgit_lab.models.filling import fill_holes
from maskgit_lab.reporting.tables import render_table
from maskgit_lab.training.precision import autocast_dtype, resolve_precision

ATTENTION = "aten::_scaled_dot_product_flash_attention_for_cpu"
PRODUCTS = (
    "aten::addmm", "aten::mm", "aten::bmm", "aten::baddbmm", "mkldnn::_convolution_pointwise", "aten::mkldnn_convolution",
    "mkldnn::_linear_pointwise",
)  # fmt: skip
NUM_OTHERS = 5  # operations that are named


def shares(work: Callable[[], object]) -> dict[str, float]:
    """Return each operation's share of the time of a call, largest first; the call is made once before, for what is made once."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        work()
    found = {event.key: float(event.self_cpu_time_total) for event in profiled.key_averages()}
    whole = sum(found.values())
    return {name: time / whole for name, time in sorted(found.items(), key=lambda item: -item[1])}


def line(name: str, found: dict[str, float]) -> list[str]:
    """Return the table's line of one piece of work."""
    products = sum(found.get(product, 0.0) for product in PRODUCTS)
    attention = found.get(ATTENTION, 0.0)
    others = [(key, share) for key, share in found.items() if key not in (*PRODUCTS, ATTENTION)]
    named = ", ".join(f"{key.removeprefix('aten::')} {100 * share:.1f}" for key, share in others[:NUM_OTHERS])
    return [name, *(f"{100 * share:.0f} %" for share in (products, attention)), named, f"{1 / (products + attention):.2f}x"]


def main() -> None:
    """Print the shares of every piece of work that the benchmark compares with the listing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("lab", "small"), default="small")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--isa", choices=NARROWER, help="use no wider instructions than these; default: what there is")
    args = parser.parse_args()
    if args.isa:
        take(args.isa)
    precision, reason = resolve_precision("auto", "cpu")
    print(reason)
    bench = Bench(torch.device("cpu"), 1, autocast_dtype(precision), num_images=args.images)
    made = subject(args.size, bench.device)
    images, holes = pictures(args.images, bench.device)

    def fill(refresh_every: int | None) -> None:
        settings = DecodeSettings(schedule=Cosine(), num_steps=NUM_STEPS, refresh_every=refresh_every)
        generators = image_generators(0, "decode", range(len(images)))
        fill_holes(made.model, made.tokenizer, images, holes, settings=settings, generators=generators, autocast=bench.autocast)

    trained = subject(args.size, bench.device)
    works: dict[str, Callable[[], object]] = {
        f"decode, T = {NUM_STEPS}, exact": partial(fill, None),
        f"decode, T = {NUM_STEPS}, partial refresh {REFRESH_EVERY}": partial(fill, REFRESH_EVERY),
        "Table 1": partial(our_table, made, bench, images, holes),
        "training step": TrainingStep(trained, bench, made.tokenizer.encode(images[: bench.batch_size])),
    }
    headers = [f"{args.size}, {args.images} images", "products", "attention", "most of the rest, %", "everything else free"]
    print(render_table(headers, [line(name, shares(work)) for name, work in works.items()]))


if __name__ == "__main__":
    main()
