"""Operations behind a row: what the work costs both sides by counting, and what follows if every product ran at the machine's rate.

Counted on the dense networks: every position through every block and the head. Ours computes less than that where only hidden
positions pass the last block and the head, and where Winograd's convolutions take fewer products; both show as a larger share of
the rate. `multiplied` is what remains: the products that our code really makes, counted while it runs. Their time is the least
that the work can take here, and the other side's time over it the most that its ratio can be.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count, sdpa_flop_count

from benchmarks.subjects import Flops

FORWARD_AND_BACKWARD = 3  # passes of a training step: the backward pass multiplies twice as much as the forward pass

FUSED_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # torch's counter knows those of GPUs
CONVOLUTION = torch.ops.mkldnn._convolution_pointwise  # Winograd's products


@dataclass(frozen=True)
class Operations:
    """Of one piece of work."""

    theirs: float  # in float32
    transformer: float  # ours, in the precision of the row
    vqgan: float  # ours, in float32
    multiplied: float | None = None  # by our code in float32, whatever the precision of the row; None = not counted

    def seconds_at_full_rate(self, rates: dict[str, float], precision: str) -> float:
        """Return how long ours would take if every product ran at the machine's rate, operations per second, of its precision."""
        return self.transformer / rates[precision] + self.vqgan / rates["fp32"]

    def counted_ratio(self, rates: dict[str, float], precision: str) -> float:
        """Return the ratio if both sides ran at full rate: what counting promises. More is what the listing loses besides."""
        return self.theirs / rates["fp32"] / self.seconds_at_full_rate(rates, precision)

    def limit(self, rate: float, their_seconds: float) -> float:
        """Return the ratio if ours did nothing but its products, all at the machine's rate, operations per second, in float32."""
        assert self.multiplied is not None
        return their_seconds * rate / self.multiplied


def multiplied(work: Callable[[], object]) -> float:
    """Return the operations of all products and convolutions of a call, forward and backward. In float32: others go uncounted."""
    with FlopCounterMode(display=False, custom_mapping={FUSED_ATTENTION: _attention, CONVOLUTION: _convolution}) as counter:
        work()
    return float(counter.get_total_flops())


def training_step(flops: Flops, images: int) -> Operations:
    """Return the operations of a training step: the listing encodes every image first, ours has its tokens."""
    step = FORWARD_AND_BACKWARD * flops.forward
    return Operations(images * (flops.encode + step), images * step, 0.0)


def decode(flops: Flops, images: int, num_steps: int, *, hidden: float | None = None) -> Operations:
    """Return the operations of a decode from pixels to pixels.

    Args:
        flops: of one image.
        images: how many.
        num_steps: T; the listing turns the tokens of every step into pixels.
        hidden: partial refresh with one full pass: share of tokens that the other passes go through. None = exact.
    """
    passes = num_steps if hidden is None else 1 + (num_steps - 1) * hidden
    theirs = flops.encode + num_steps * (flops.forward + flops.decode)
    return Operations(images * theirs, images * passes * flops.forward, images * (flops.encode + flops.decode))


def table(flops: Flops, images: int, num_steps: int, num_schedules: int, sweet_spots: tuple[int, ...]) -> Operations:
    """Return the operations of a table: the listing decodes every cell up to its sweet spot, ours shares encoder and first step."""
    cells = num_schedules * len(sweet_spots)
    theirs = cells * flops.encode + num_schedules * sum(sweet_spots) * (flops.forward + flops.decode)
    passes = 1 + num_schedules * (num_steps - 1)
    return Operations(images * theirs, images * passes * flops.forward, images * (flops.encode + cells * flops.decode))


def _attention(query: torch.Size, key: torch.Size, value: torch.Size, *_: object, **__: object) -> int:
    return sdpa_flop_count(query, key, value)


def _convolution(x: torch.Size, weight: torch.Size, *_: object, out_shape: torch.Size, **__: object) -> int:
    return int(conv_flop_count(list(x), list(weight), list(out_shape)))
