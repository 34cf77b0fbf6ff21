"""Which tokens are hidden: from a pixel hole at test time, at random in training (MVTM)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from maskgit_lab.core.schedules import MaskSchedule

# shares such as 1 - 3/7 land a rounding error under the exact product; 1e-9 tokens put them back
COUNT_TOLERANCE = 1e-9
WHOLE_SHARE = (0.0, 1.0)  # of the candidates: the schedule decides


def token_mask(holes: Tensor, *, grid: int, dilation: int = 0) -> Tensor:
    """Hide every token whose cell the hole touches (lab protocol).

    Args:
        holes: (B, H, W) bool, True = hole pixel; H and W are multiples of `grid`.
        grid: cells per side of the token grid.
        dilation: grow the token mask by this many cells (a square neighbourhood).

    Returns:
        (B, grid * grid) bool, row by row, True = hidden.
    """
    height, width = holes.shape[-2:]
    if height % grid or width % grid:
        raise ValueError(f"holes of {height}x{width} pixels do not divide into a {grid}x{grid} token grid")
    if dilation < 0:
        raise ValueError(f"decode.mask_dilation must be at least 0 cells, got {dilation}")
    touched = F.max_pool2d(holes[:, None].float(), (height // grid, width // grid))  # (B, 1, grid, grid)
    if dilation:
        touched = F.max_pool2d(touched, 2 * dilation + 1, stride=1, padding=dilation)
    return touched.flatten(1) > 0


def smallest_k_mask(values: Tensor, count: Tensor) -> Tensor:
    """Return (B, N) bool: True for the `count[b]` (B,) smallest values (B, N) of row b; equal ones go by position, lower first."""
    order = values.argsort(dim=1, stable=True)
    rank = torch.empty_like(order)
    rank.scatter_(1, order, torch.arange(values.shape[1], device=values.device).expand_as(order))
    return rank < count[:, None]


def keep_hidden_count(hidden_at_start: Tensor, share: float | Tensor) -> Tensor:
    """Return floor(n0 * gamma) per image: how many tokens stay hidden after a decoding step."""
    return (hidden_at_start.double() * share + COUNT_TOLERANCE).floor().long()


def sample_mvtm_mask(
    candidates: Tensor, *, schedule: MaskSchedule, generator: torch.Generator, share: tuple[float, float] = WHOLE_SHARE
) -> Tensor:
    """Hide a random part of the candidates, as masked visual token modeling does in training.

    Per image r ~ U(0, 1) and n = clamp(ceil(s N), 1, N) of its N candidates are hidden, with
    s = least + (largest - least) gamma(r).
    A share from 0 to 1 is the lab's protocol, where every token is a candidate. An image without candidates gets an empty mask.

    Args:
        candidates: (B, N) bool, positions that may be hidden.
        schedule: gamma.
        generator: on the CPU or on the candidates' device.
        share: least and largest share hidden.

    Returns:
        (B, N) bool, True = hidden.
    """
    least, largest = share
    batch, num_tokens = candidates.shape
    progress = torch.rand(batch, generator=generator, device=generator.device, dtype=torch.float64)
    noise = torch.rand(batch, num_tokens, generator=generator, device=generator.device)
    hidden_share = (least + (largest - least) * schedule(progress)).to(candidates.device)
    noise = noise.to(candidates.device)
    available = candidates.sum(1)
    count = (available.double() * hidden_share - COUNT_TOLERANCE).ceil().long()
    count = torch.minimum(count.clamp(min=1), available)
    return smallest_k_mask(noise.masked_fill(~candidates, torch.inf), count)
