"""Iterative decoding along a mask schedule: reveal the most confident tokens first (MaskGIT, Chang et al. 2022, section 3.3).

`decode` is the loop: predict, score, rank, hide. What predicts is a function of the grid; how it computes is not the loop's
concern. All noise is drawn before the loop, so that an image gives the same tokens in any batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from maskgit_lab.core.masking import keep_hidden_count, smallest_k_mask
from maskgit_lab.core.pixels import LARGEST_BLEND
from maskgit_lab.core.ranges import require_number
from maskgit_lab.core.schedules import MaskSchedule

# Known tokens must rank above every candidate when the least confident ones are picked to stay hidden. Candidates are brought into
# the finite numbers first: sorting puts NaN above infinity, and a diverged network would hide what is known.
CONFIDENCE_OF_KNOWN_TOKENS = torch.inf
LARGEST_CONFIDENCE = torch.finfo(torch.float32).max
# Uniform draws are kept off 0 and 1, where the Gumbel transform is infinite; the upper end is float32's last number below 1.
UNIFORM_RANGE = (1e-9, 1 - 2**-24)

Network = Callable[[Tensor], Tensor]  # tokens (B, N) -> logits (B, N, V + 1)
# tokens (B, N) and what is hidden (B, N) bool -> token (B, N) int64 and its log probability (B, N) float32; known positions: any
Predictor = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# logits (..., V + 1), the mask token's id, and where in the batch's grids they are, (...) int64 in [0, B N), for draws of one's own
# -> token (...) int64 and its log probability (...) float32; called at most once per step
Choice = Callable[[Tensor, int, Tensor], tuple[Tensor, Tensor]]
Generators = torch.Generator | Sequence[torch.Generator] | None


@dataclass(frozen=True)
class DecodeSettings:
    """How holes are filled.

    Raises:
        ValueError: a value out of range; the message names its configuration key.
    """

    schedule: MaskSchedule
    num_steps: int = 7
    sweet_spot: int | None = None  # stop after this many steps; None = all
    choice_temperature: float = 4.5
    mask_dilation: int = 0  # cells by which the hidden region grows beyond the touched cells
    mask_blend_pixels: int = 0  # width of the rim of the hole over which composited images go over into the fill
    refresh_every: int | None = None  # full passes every so many steps, cells of the hole in between; None or 1 = exact
    refresh_ring: int = 0  # known cells around the hole that are computed with it in between

    def __post_init__(self) -> None:
        require_number("decode.num_steps", self.num_steps, least=1, whole=True)
        require_number("decode.choice_temperature", self.choice_temperature, least=0)
        require_number("decode.mask_dilation", self.mask_dilation, least=0, whole=True, unit="cells")
        require_number("decode.mask_blend_pixels", self.mask_blend_pixels, least=0, most=LARGEST_BLEND, whole=True, unit="pixels")
        require_number("decode.refresh_every", self.refresh_every, least=1, whole=True, unit="step", or_null=True)
        require_number("decode.refresh_ring", self.refresh_ring, least=0, whole=True, unit="cells")
        spot = self.sweet_spot
        if spot is not None and not (type(spot) is int and 1 <= spot <= self.num_steps):
            raise ValueError(f"decode.sweet_spot must be from 1 to decode.num_steps ({self.num_steps}), got {spot}")

    @property
    def stop(self) -> int:
        """After how many steps decoding stops."""
        return self.num_steps if self.sweet_spot is None else self.sweet_spot

    def as_dict(self) -> dict[str, Any]:
        """Return every value by name, the schedule as people read it: what a protocol records."""
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "schedule": repr(self.schedule)}

    @property
    def exact(self) -> bool:
        """Whether every step computes the whole network."""
        return self.refresh_every in (None, 1)


@dataclass(frozen=True)
class DecodeTrace:
    """What decoding produced, step by step."""

    tokens: Tensor  # (B, N) int64: the result, known tokens untouched
    step_tokens: Tensor  # (S, B, N) int64: the result if decoding stopped after that step
    step_masks: Tensor  # (S, B, N) bool: tokens still hidden after that step


def most_likely(logits: Tensor, mask_token_id: int, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return the most likely token and its log probability, both (...), of logits (..., V + 1); the mask token is ruled out."""
    # float32: in half precision equal-looking confidences tie and the order goes by position
    scores = logits.to(torch.float32, copy=True)
    scores[..., mask_token_id] = -torch.inf
    best, prediction = scores.max(-1)
    return prediction, best - scores.logsumexp(-1)


def predictor_of(network: Network, mask_token_id: int, choose: Choice = most_likely) -> Predictor:
    """Return a predictor that chooses from a network's logits of the whole grid."""

    def predict(tokens: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        cells = torch.arange(tokens.numel(), device=tokens.device).view_as(tokens)
        return choose(network(tokens), mask_token_id, cells)

    return predict


@torch.no_grad()
def decode(
    predict: Predictor, tokens: Tensor, mask: Tensor, *, settings: DecodeSettings, mask_token_id: int, generator: Generators = None
) -> DecodeTrace:
    """Fill the hidden tokens step by step.

    Step t of T, with progress r = (t + 1) / T: every hidden position takes its predicted token; its confidence is
    log p + choice_temperature (1 - r) Gumbel noise; the floor(gamma(r) n0) least confident stay hidden. What is still hidden
    when decoding stops takes the prediction of that step.

    Args:
        predict: called once per step; of a network of the whole grid `predictor_of`.
        tokens: (B, N) int64; values under `mask` are ignored.
        mask: (B, N) bool, True = hidden.
        settings: schedule, steps and temperature; masks are taken as they are, without dilation.
        mask_token_id: id that marks a hidden token.
        generator: of the order noise: one for the batch, or one per image, so that a result does not depend on its batch; None
            needs temperature 0.

    Returns:
        The tokens, and what every step predicted and left hidden.

    Raises:
        ValueError: when shapes disagree, or generators and images; when a log probability is not finite, which is what NaN and
            infinite logits lead to; when the predictor chose the mask token.
    """
    _require_grid(tokens, mask)
    noise = _order_noise(generator, settings, tokens)  # (S, B, N)
    counts = hidden_counts(mask, settings).to(mask.device)  # (S + 1, B)
    current, hidden = tokens.masked_fill(mask, mask_token_id), mask
    steps: list[tuple[Tensor, Tensor]] = []
    certain: list[Tensor] = []  # (B, N) bool each: log p is a number; read after the loop, for reading waits for the device
    for step in range(settings.stop):
        temperature = settings.choice_temperature * (1 - (step + 1) / settings.num_steps)
        choice, log_p = predict(current, hidden)
        filled = torch.where(hidden, choice, current)
        certain.append(log_p.isfinite() | ~hidden)
        confidence = (log_p + temperature * noise[step]).nan_to_num(-torch.inf, LARGEST_CONFIDENCE)
        confidence = confidence.masked_fill(~hidden, CONFIDENCE_OF_KNOWN_TOKENS)
        hidden = smallest_k_mask(confidence, counts[step + 1]) & hidden
        current = filled.masked_fill(hidden, mask_token_id)
        steps.append((filled, hidden))
    step_tokens, step_masks = (torch.stack(parts) for parts in zip(*steps, strict=True))
    _require_usable(torch.stack(certain), (step_tokens != mask_token_id) | ~mask)
    return DecodeTrace(tokens=filled, step_tokens=step_tokens, step_masks=step_masks)


def hidden_counts(mask: Tensor, settings: DecodeSettings) -> Tensor:
    """Return how many tokens of each image are hidden before the first step and after each, (S + 1, B) int64 on the host."""
    at_start = mask.sum(1).cpu()
    progress = [(step + 1) / settings.num_steps for step in range(settings.stop)]
    after = [keep_hidden_count(at_start, settings.schedule(r)) for r in progress]
    # a law that rises would hide what is already known: what has been revealed stays revealed
    return torch.stack([at_start, *after]).cummin(0).values


def _require_grid(tokens: Tensor, mask: Tensor) -> None:
    if tokens.ndim != 2 or tokens.shape != mask.shape or mask.dtype != torch.bool:
        raise ValueError(
            f"tokens and mask must be (B, N) int64 and (B, N) bool, got {tuple(tokens.shape)} {tokens.dtype} "
            f"and {tuple(mask.shape)} {mask.dtype}"
        )


def _require_usable(finite: Tensor, no_mask_token: Tensor) -> None:
    """Raise ValueError naming the first step and image whose predictions, (S, B, N) bool each, are of no use."""
    good = finite & no_mask_token
    if bool(good.all()):
        return
    step, image = good.all(2).logical_not_().nonzero()[0].tolist()  # in the order of the steps
    if bool(finite[step, image].all()):
        raise ValueError(
            f"the mask token was chosen for image {image} of the batch at decoding step {step + 1}: `choose` must rule it out"
        )
    raise ValueError(
        f"the logits of image {image} of the batch are not finite at decoding step {step + 1}: the weights of this network "
        "diverged. Take another checkpoint (checkpoint=best|last), or train again with a lower optimizer.lr"
    )


def _order_noise(generator: Generators, settings: DecodeSettings, tokens: Tensor) -> Tensor:
    """Draw standard Gumbel noise (S, B, N) for all steps, image by image when each has its generator; zeros at temperature 0."""
    (batch, num_tokens), device, steps = tokens.shape, tokens.device, settings.stop
    if settings.choice_temperature == 0:
        return torch.zeros(1, device=device).expand(steps, batch, num_tokens)
    if generator is None:
        raise ValueError("decode needs a generator while choice_temperature is above 0")
    if isinstance(generator, torch.Generator):
        uniform = torch.rand(steps, batch, num_tokens, generator=generator, device=generator.device)
    else:
        if len(generator) != batch:
            raise ValueError(f"decode got {len(generator)} generators for {batch} images; give one per image")
        draws = [torch.rand(steps, num_tokens, generator=g, device=g.device) for g in generator]
        uniform = torch.stack(draws, dim=1) if draws else torch.empty(steps, 0, num_tokens)
    # taken to the device when finished: its logarithms round otherwise, and a copy per image would wait for it every time
    return -torch.log(-torch.log(uniform.clamp(*UNIFORM_RANGE))).to(device)
