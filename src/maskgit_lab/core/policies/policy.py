"""What a decoding policy is: four hooks that the loop `core.decoding.decode` calls, and what each pass shows it.

| hook | decides | as it is here |
|---|---|---|
| `token_temperature` | how a token is taken from logits | decode.token_temperature |
| `position_score`, `score` | which hidden positions stay hidden: those with the least score | log p of the token |
| `count` | how many | floor(gamma n0) of each image |
| `remask` | which revealed positions are hidden again: those whose score is among the least | none |

A known token is never part of it: the loop gives it an infinite score, whatever a policy says.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.decode_noise import PassDraws
from maskgit_lab.core.token_choice import TokenLogits

Ask = Callable[[Tensor], Tensor]  # tokens (B, N) -> logits (..., V + 1) of the positions that this pass asks for


@dataclass(frozen=True)
class Step:
    """One pass after the network was asked; what is said of hidden tokens was true before it."""

    progress_before: float  # (t - 1) / T
    progress: float  # r = t / T, after this step
    gamma: Callable[[float], float]  # share hidden at progress r
    order_temperature: float  # of the noise on the order
    hole: Tensor  # (B, N) bool
    hidden: Tensor  # (B, N) bool
    tokens: Tensor  # (B, N) int64, every hidden one as it was just chosen
    log_p: Tensor  # (B, N) float32 of `tokens` at hidden positions; with `rescores` at every position of the hole
    position_score: Tensor  # (B, N) float32, where `log_p` is
    revealed_log_p: Tensor  # (B, N) float32 of the tokens that are visible inside the hole, when they were chosen
    planned: Tensor  # (B,) int64: floor(gamma n0)
    draws: PassDraws


@dataclass(frozen=True)
class Question:
    """What a policy may know before it asks the network."""

    progress_before: float  # (t - 1) / T
    known: Tensor  # (B, N) bool: tokens outside the holes
    mask_token_id: int
    draws: PassDraws


class Policy:
    """Reveal tokens along the mask schedule, those of the least `score` last; subclasses replace hooks."""

    adaptive = False  # counts follow from what the network says: each step waits for the device, the schedule has no say
    rescores = False  # the network is asked about the whole hole in every step, not only about hidden tokens
    remasks = False  # `remask` may hide tokens again
    refreshes = True  # whether partial refresh (decode.refresh_every) reads rightly what this policy does
    sets_token_temperature = False  # decode.token_temperature has no say

    @property
    def name(self) -> str:
        """Its name in messages and tables."""
        return type(self).__name__

    def walk(self, stop: int) -> list[int]:
        """Return the steps, counted from 0, in the order in which they are taken; one that does not follow goes back in time.

        The walk to an earlier stop must be the beginning of this one.
        """
        return list(range(stop))

    def clock(self, progress: float) -> float:
        """Return the progress at which the mask schedule is read."""
        return progress

    def token_temperature(self, progress: float, setting: float, *, order_temperature: float) -> float:
        """Return the temperature of tokens at progress r; 0 = the most likely one.

        `setting` is decode.token_temperature, `order_temperature` what the hook of that name says at r.
        """
        return setting

    def order_temperature(self, progress: float, setting: float) -> float:
        """Return the scale of the noise on the order; `setting` is decode.choice_temperature."""
        return setting * (1 - progress)

    def logits(self, ask: Ask, tokens: Tensor, question: Question) -> Tensor:
        """Return logits (..., V + 1) for tokens (B, N); `ask` may be called more than once, the first time with `tokens`."""
        return ask(tokens)

    def position_score(self, logits: TokenLogits, log_p: Tensor) -> Tensor:
        """Return a score (...) of each position from its logits (..., V + 1) and log p (...) of its token."""
        return log_p

    def score(self, step: Step) -> Tensor:
        """Return the score (B, N) of hidden positions; the least stay hidden."""
        return step.position_score

    def count(self, step: Step, scores: Tensor) -> Tensor:
        """Return how many tokens (B,) int64 are hidden after this step; `scores` (B, N) are infinite where nothing is hidden."""
        return step.planned

    def remask(self, step: Step) -> Tensor:
        """Return the score (B, N) of visible generated tokens, next to that of hidden ones; +inf = it stays visible."""
        return torch.full_like(step.log_p, torch.inf)
