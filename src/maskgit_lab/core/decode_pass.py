"""One pass of decoding: ask the network, take tokens, score positions, hide the least again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from maskgit_lab.core.decode_noise import PassDraws
from maskgit_lab.core.masking import smallest_k_mask
from maskgit_lab.core.policies.policy import Policy, Question, Step
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.core.token_choice import TokenLogits, TokenRule

# Known tokens must rank above every candidate when the least confident ones are picked to stay hidden. Candidates are brought into
# the finite numbers first: sorting puts NaN above infinity, and a diverged network would hide what is known.
CONFIDENCE_OF_KNOWN_TOKENS = torch.inf
LARGEST_CONFIDENCE = torch.finfo(torch.float32).max

# tokens (B, N), positions asked for (B, N) bool, and how many of each image, None = not known on the host
# -> logits (..., V + 1) of those positions at least, and where they are in the batch's grids, (...) int64 in [0, B N)
Predictor = Callable[[Tensor, Tensor, Sequence[int] | None], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Moment:
    """When a pass is taken, and the settings that it is taken with."""

    progress_before: float  # (t - 1) / T
    progress: float  # t / T
    schedule: MaskSchedule
    tokens: TokenRule
    choice_temperature: float
    draws: PassDraws


class GridState:
    """The grids of a batch while they are decoded.

    Args:
        predict: computes logits.
        policy: which decides.
        hole: (B, N) bool, what is to be filled.
        tokens: (B, N) int64 with the mask token under the hole.
        mask_token_id: its id.
    """

    def __init__(self, predict: Predictor, policy: Policy, hole: Tensor, tokens: Tensor, mask_token_id: int) -> None:
        self.predict = predict
        self.policy = policy
        self.hole = hole
        self.hidden = hole
        self.tokens = tokens
        self.mask_token_id = mask_token_id
        self.revealed_log_p = torch.zeros(tokens.shape, device=tokens.device)

    def hide_again(self, count: Tensor, draws: PassDraws) -> None:
        """Hide random generated tokens, until `count` (B,) are hidden."""
        score = draws.uniform("travel").masked_fill(self.hidden, -1.0).masked_fill(~self.hole, CONFIDENCE_OF_KNOWN_TOKENS)
        self._hide(smallest_k_mask(score, count) & self.hole, self.tokens)

    def take(self, now: Moment, planned: Tensor, asked_counts: Sequence[int] | None) -> Step:
        """Take one pass, `planned` (B,) tokens hidden after it by the schedule; return what the policy saw."""
        policy, asked = self.policy, self.hole if self.policy.rescores else self.hidden
        places: list[Tensor] = []

        def ask(tokens: Tensor) -> Tensor:
            logits, cells = self.predict(tokens, asked, asked_counts)
            places.append(cells.flatten())
            return logits

        question = Question(now.progress_before, ~self.hole, self.mask_token_id, now.draws)
        logits = policy.logits(ask, self.tokens, question)
        choice, log_p, score = self._read(logits, places[0].view(logits.shape[:-1]), now)
        step = Step(
            progress_before=now.progress_before, progress=now.progress, gamma=lambda r: now.schedule(policy.clock(r)),
            order_temperature=policy.order_temperature(now.progress, now.choice_temperature),
            hole=self.hole, hidden=self.hidden, tokens=torch.where(self.hidden, choice, self.tokens), log_p=log_p,
            position_score=score, revealed_log_p=self.revealed_log_p, planned=planned, draws=now.draws,
        )  # fmt: skip
        hidden = self._still_hidden(step)
        if policy.remasks:
            self.revealed_log_p = torch.where(step.hidden & ~hidden, log_p, self.revealed_log_p)
        self._hide(hidden, step.tokens)
        return step

    def _read(self, logits: Tensor, cells: Tensor, now: Moment) -> tuple[Tensor, Tensor, Tensor]:
        """Take a token at each of the cells (...); return token, log p and score of the position as grids (B, N)."""
        rule, order = now.tokens, self.policy.order_temperature(now.progress, now.choice_temperature)
        temperature = self.policy.token_temperature(now.progress, rule.temperature, order_temperature=order)
        rows = TokenLogits.of(logits, self.mask_token_id, temperature)
        if temperature == 0:
            token, log_p = rows.most_likely()
        else:
            uniform = now.draws.uniform("tokens").flatten()[cells]
            token = rows.sampled(uniform, top_k=rule.top_k, top_p=rule.top_p)
            log_p = rows.log_p_of(token)
        if self.policy.rescores:  # of a visible position: how likely its token is now
            token = torch.where(self.hidden.flatten()[cells], token, self.tokens.flatten()[cells])
            log_p = rows.log_p_of(token)
        score = self.policy.position_score(rows, log_p)
        grids = [
            grid.flatten().index_copy(0, cells.flatten(), values.flatten()).view_as(self.tokens)
            for grid, values in ((self.tokens, token), (self.revealed_log_p, log_p), (self.revealed_log_p, score))
        ]
        return grids[0], grids[1], grids[2]

    def _still_hidden(self, step: Step) -> Tensor:
        """Return what is hidden after a pass, (B, N) bool."""
        score = self.policy.score(step).nan_to_num(-torch.inf, LARGEST_CONFIDENCE)
        score = score.masked_fill(~step.hidden, CONFIDENCE_OF_KNOWN_TOKENS)
        count = self.policy.count(step, score)
        if not self.policy.remasks:
            return smallest_k_mask(score, count) & step.hidden
        visible = self.hole & ~step.hidden
        score = torch.where(visible, self.policy.remask(step).nan_to_num(torch.inf, torch.inf), score)
        return smallest_k_mask(score, count) & self.hole

    def _hide(self, hidden: Tensor, tokens: Tensor) -> None:
        self.hidden, self.tokens = hidden, tokens.masked_fill(hidden, self.mask_token_id)
