"""Iterative decoding along a mask schedule: reveal the most confident tokens first (MaskGIT, Chang et al. 2022, section 3.3).

One loop serves every batch: the counts are per image, the whole batch advances together, and nothing inside the loop waits for
the device: how many tokens each step predicts follows from the holes and the schedule and is known before it. All noise is drawn
before the loop too, so that an image decoded alone and the same image in a batch agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from maskgit_lab.core.masking import keep_hidden_count, smallest_k_mask
from maskgit_lab.core.positions import Positions
from maskgit_lab.core.schedules import MaskSchedule

# Known tokens must rank above every candidate when the least confident ones are picked to stay hidden.
CONFIDENCE_OF_KNOWN_TOKENS = torch.inf
# Uniform draws are kept off 0 and 1, where the Gumbel transform is infinite; the upper end is float32's last number below 1.
UNIFORM_RANGE = (1e-9, 1 - 2**-24)

Predict = Callable[[Tensor], Tensor]


class Predictor(Protocol):
    """A network that predicts hidden tokens only, step after step."""

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Return logits (M, V + 1) at the hidden positions of tokens (B, N)."""

    def keep(self, images: Tensor) -> None:
        """Go on with these images (B',) of the batch alone: the others are full."""


class WholeGrid:
    """A function of the whole grid as a predictor: tokens (B, N) -> logits (B, N, V + 1)."""

    def __init__(self, predict: Predict) -> None:
        self.predict = predict

    def __call__(self, tokens: Tensor, hidden: Positions) -> Tensor:
        """Predict everything and take the hidden positions."""
        return hidden.take(self.predict(tokens))

    def keep(self, images: Tensor) -> None:
        """Nothing is remembered of any image."""


@dataclass(frozen=True)
class DecodeTrace:
    """What decoding produced, step by step."""

    tokens: Tensor  # (B, N) int64: the result, known tokens untouched
    step_tokens: Tensor  # (S, B, N) int64: the result if decoding stopped after that step
    step_masks: Tensor  # (S, B, N) bool: tokens still hidden after that step


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
    """Fill the hidden tokens with a function of the whole grid, tokens (B, N) -> logits (B, N, V + 1); see `decode_hidden`.

    Where images of the batch are full it sees the others alone.
    """
    return decode_hidden(
        WholeGrid(predict), tokens, mask, schedule=schedule, num_steps=num_steps, mask_token_id=mask_token_id,
        sweet_spot=sweet_spot, choice_temperature=choice_temperature, generator=generator,
    )  # fmt: skip


@torch.no_grad()
def decode_hidden(
    predict: Predictor,
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
    still hidden when decoding stops takes the prediction of that step. Images without hidden tokens leave the batch.

    Args:
        predict: called once per step with the images that still have hidden tokens.
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
    plan = _hidden_counts(mask, schedule, num_steps, stop)  # (S + 1, B), the only wait for the device
    counts = plan.to(tokens.device, non_blocking=True)
    active = torch.arange(len(tokens))
    current, hidden = tokens.masked_fill(mask, mask_token_id), mask
    step_tokens, step_masks = [], []
    for step in range(stop):
        left = plan[step, active].nonzero().flatten()
        if len(left) < len(active):
            predict.keep(left.to(tokens.device, non_blocking=True))
            active = active[left]
        filled = current
        if len(active):
            images = active.to(tokens.device, non_blocking=True)
            where = Positions.of(hidden.index_select(0, images), plan[step, active].tolist())
            logits = predict(current.index_select(0, images), where)
            best, confidence = _most_likely(logits, mask_token_id)  # (M,), (M,)
            if noise is not None:
                order = where.take(noise[step].index_select(0, images))
                confidence = confidence + choice_temperature * (1 - (step + 1) / num_steps) * order
            filled, hidden = _reveal(current, hidden, images, where, best, confidence, counts[step + 1])
        current = filled.masked_fill(hidden, mask_token_id)
        step_tokens.append(filled)
        step_masks.append(hidden)
    return DecodeTrace(tokens=step_tokens[-1], step_tokens=torch.stack(step_tokens), step_masks=torch.stack(step_masks))


def _reveal(
    current: Tensor, hidden: Tensor, images: Tensor, where: Positions, best: Tensor, confidence: Tensor, keep: Tensor
) -> tuple[Tensor, Tensor]:
    """Write the predictions of some images into the batch and hide their least confident ones again.

    Args:
        current, hidden: (B, N).
        images: (B',) int64, those that were predicted.
        where, best, confidence: positions, tokens and confidences (M,) among them.
        keep: (B,) int64, how many tokens stay hidden.

    Returns:
        Tokens with every prediction in place, and what is hidden now, both (B, N).
    """
    tokens = current.index_select(0, images)
    ranking = torch.full(tokens.shape, CONFIDENCE_OF_KNOWN_TOKENS, device=tokens.device)
    ranking = ranking.flatten().index_copy(0, where.rows, confidence).view_as(ranking)
    stay = smallest_k_mask(ranking, keep.index_select(0, images)) & hidden.index_select(0, images)
    predicted = tokens.flatten().index_copy(0, where.rows, best).view_as(tokens)
    return current.index_copy(0, images, predicted), hidden.index_copy(0, images, stay)


def _hidden_counts(mask: Tensor, schedule: MaskSchedule, num_steps: int, stop: int) -> Tensor:
    """Return how many tokens of each image are hidden before the first step and after each, (S + 1, B) int64 on the host."""
    at_start = mask.sum(1).cpu()
    after = [keep_hidden_count(at_start, schedule((step + 1) / num_steps)) for step in range(stop)]
    # a law that rises would hide what is already known: what has been revealed stays revealed
    return torch.stack([at_start, *after]).cummin(0).values


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
    """Return the most likely token and its log probability, both (M,), with the mask token ruled out."""
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
