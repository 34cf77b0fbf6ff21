"""Iterative decoding along a mask schedule: reveal the most confident tokens first (MaskGIT, Chang et al. 2022, section 3.3).

One loop serves every batch: the counts are per image, the whole batch advances together, and nothing inside the loop waits for
the device. All noise is drawn before the loop, so that an image decoded alone and the same image in a batch agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.masking import keep_hidden_count, smallest_k_mask
from maskgit_lab.core.schedules import MaskSchedule

# Known tokens must rank above every candidate when the least confident ones are picked to stay hidden.
CONFIDENCE_OF_KNOWN_TOKENS = torch.inf
# Uniform draws are kept off 0 and 1, where the Gumbel transform is infinite; the upper end is float32's last number below 1.
UNIFORM_RANGE = (1e-9, 1 - 2**-24)

Predict = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class DecodeTrace:
    """What decoding produced, step by step."""

    tokens: Tensor  # (B, N) int64: the result, known tokens untouched
    step_tokens: Tensor  # (S, B, N) int64: the result if decoding stopped after that step
    step_masks: Tensor  # (S, B, N) bool: tokens still hidden after that step


@torch.no_grad()
def decode(
    predict: Predict,
    tokens: Tensor,
    mask: Tensor,
    *,
    schedule: MaskSchedule,
    num_steps: int,
    mask_token_id: int,
    sweet_spot: int | None = None,
    choice_temperature: float = 4.5,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
) -> DecodeTrace:
    """Fill the hidden tokens in `num_steps` steps (lab protocol).

    Step t of T, with progress r = (t + 1) / T: every hidden position takes its most likely token, the mask token excluded; its
    confidence is log p + choice_temperature (1 - r) Gumbel noise; the floor(gamma(r) n0) least confident stay hidden. What is
    still hidden when decoding stops takes the prediction of that step.

    Args:
        predict: tokens (B, N) int64 -> logits (B, N, V + 1), the mask token's logit last or anywhere.
        tokens: (B, N) int64; values under `mask` are ignored.
        mask: (B, N) bool, True = hidden.
        schedule: share hidden at progress r.
        num_steps: T, at least 1; may exceed the number of hidden tokens.
        mask_token_id: id that marks a hidden token.
        sweet_spot: stop after this many steps, 1..T; None = T.
        choice_temperature: scale of the order noise, at least 0.
        generator: one for the batch, or one per image so that a result does not depend on its batch; None needs temperature 0.

    Raises:
        ValueError: when an argument is out of range or shapes disagree.
    """
    if tokens.ndim != 2 or tokens.shape != mask.shape or mask.dtype != torch.bool:
        raise ValueError(
            f"tokens and mask must be (B, N) int64 and (B, N) bool, got {tuple(tokens.shape)} {tokens.dtype} "
            f"and {tuple(mask.shape)} {mask.dtype}"
        )
    stop = checked_stop(num_steps=num_steps, sweet_spot=sweet_spot, choice_temperature=choice_temperature)
    noise = _order_noise(generator, stop, tokens.shape, choice_temperature, tokens.device)
    hidden_at_start = mask.sum(1)
    current, hidden = tokens.masked_fill(mask, mask_token_id), mask
    step_tokens, step_masks = [], []
    for step in range(stop):
        progress = (step + 1) / num_steps
        prediction, confidence = _most_likely(predict(current), mask_token_id)  # (B, N), (B, N)
        filled = torch.where(hidden, prediction, current)
        if noise is not None:
            confidence = confidence + choice_temperature * (1 - progress) * noise[step]
        confidence = confidence.masked_fill(~hidden, CONFIDENCE_OF_KNOWN_TOKENS)
        hidden = smallest_k_mask(confidence, keep_hidden_count(hidden_at_start, schedule(progress))) & hidden
        current = filled.masked_fill(hidden, mask_token_id)
        step_tokens.append(filled)
        step_masks.append(hidden)
    return DecodeTrace(tokens=step_tokens[-1], step_tokens=torch.stack(step_tokens), step_masks=torch.stack(step_masks))


def checked_stop(*, num_steps: int, sweet_spot: int | None, choice_temperature: float) -> int:
    """Return after how many steps decoding stops.

    Raises:
        ValueError: a value out of range; the message names its configuration key.
    """
    if num_steps < 1:
        raise ValueError(f"decode.num_steps must be at least 1, got {num_steps}")
    if choice_temperature < 0:
        raise ValueError(f"decode.choice_temperature must be at least 0, got {choice_temperature}")
    stop = num_steps if sweet_spot is None else sweet_spot
    if not 1 <= stop <= num_steps:
        raise ValueError(f"decode.sweet_spot must be from 1 to decode.num_steps ({num_steps}), got {sweet_spot}")
    return stop


def _most_likely(logits: Tensor, mask_token_id: int) -> tuple[Tensor, Tensor]:
    """Return the most likely token and its log probability, both (B, N), with the mask token ruled out."""
    # float32: in half precision equal-looking confidences tie and the order goes by position
    scores = logits.to(torch.float32, copy=True)
    scores[..., mask_token_id] = -torch.inf
    best, prediction = scores.max(-1)
    return prediction, best - scores.logsumexp(-1)


def _order_noise(
    generator: torch.Generator | Sequence[torch.Generator] | None,
    num_steps: int,
    shape: torch.Size,
    temperature: float,
    device: torch.device,
) -> Tensor | None:
    """Draw standard Gumbel noise (S, B, N) for all steps at once, image by image when each has its generator."""
    if temperature == 0:
        return None
    batch, num_tokens = shape
    if generator is None:
        raise ValueError("decode needs a generator while choice_temperature is above 0")
    if isinstance(generator, torch.Generator):
        uniform = torch.rand(num_steps, batch, num_tokens, generator=generator, device=generator.device)
    else:
        if len(generator) != batch:
            raise ValueError(f"decode got {len(generator)} generators for {batch} images; give one per image")
        draws = [torch.rand(num_steps, num_tokens, generator=g, device=g.device).to(device) for g in generator]
        uniform = torch.stack(draws, dim=1) if draws else torch.empty(num_steps, 0, num_tokens)
    uniform = uniform.to(device).clamp(*UNIFORM_RANGE)
    return -torch.log(-torch.log(uniform))
