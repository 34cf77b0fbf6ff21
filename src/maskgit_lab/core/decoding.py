"""Iterative decoding along a mask schedule: reveal tokens step by step, in the order of a policy (MaskGIT, Chang et al. 2022).

`decode` is the loop: ask, choose, score, rank, hide. What predicts is a function of the grid; how it computes is not the loop's
concern. What differs between policies is in four hooks (`core.policies`). All noise is drawn per image and counted by passes
(`core.decode_noise`), so that an image gives the same tokens in any batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from maskgit_lab.core.decode_noise import DecodeNoise, Generators, PassDraws
from maskgit_lab.core.decode_pass import GridState, Now, Predictor
from maskgit_lab.core.masking import keep_hidden_count
from maskgit_lab.core.pixels import LARGEST_BLEND
from maskgit_lab.core.policies.confidence import Confidence
from maskgit_lab.core.policies.policy import Policy
from maskgit_lab.core.ranges import require_number
from maskgit_lab.core.schedules import MaskSchedule
from maskgit_lab.core.token_choice import TokenRule

Network = Callable[[Tensor], Tensor]  # tokens (B, N) -> logits (B, N, V + 1)


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
    token_temperature: float = 0.0  # of sampled tokens; 0 = the most likely one
    top_k: int = 0  # sample among the k likeliest codes; 0 = all
    top_p: float = 1.0  # sample among the likeliest codes that together have this probability; 1 = all
    policy: Policy = field(default_factory=Confidence)

    def __post_init__(self) -> None:
        require_number("decode.num_steps", self.num_steps, least=1, whole=True)
        require_number("decode.choice_temperature", self.choice_temperature, least=0)
        require_number("decode.mask_dilation", self.mask_dilation, least=0, whole=True, unit="cells")
        require_number("decode.mask_blend_pixels", self.mask_blend_pixels, least=0, most=LARGEST_BLEND, whole=True, unit="pixels")
        require_number("decode.refresh_every", self.refresh_every, least=1, whole=True, unit="step", or_null=True)
        require_number("decode.refresh_ring", self.refresh_ring, least=0, whole=True, unit="cells")
        self.tokens.check()
        if not isinstance(self.policy, Policy):
            raise ValueError(f"decode.policy must be a policy of maskgit_lab.core.policies, got {self.policy!r}")
        if self.policy.sets_token_temperature and self.token_temperature:
            raise ValueError(
                f"decode.policy: {self.policy.name} sets the tokens' temperature itself: decode.token_temperature=0, "
                f"got {self.token_temperature}"
            )
        if not self.exact and not self.policy.refreshes:
            raise ValueError(
                f"decode.refresh_every={self.refresh_every} does not go with decode.policy {self.policy.name}, which hides tokens "
                "again or asks about visible ones: decode.refresh_every=1"
            )
        spot = self.sweet_spot
        if spot is not None and not (type(spot) is int and 1 <= spot <= self.num_steps):
            raise ValueError(f"decode.sweet_spot must be from 1 to decode.num_steps ({self.num_steps}), got {spot}")

    @property
    def stop(self) -> int:
        """After how many steps decoding stops."""
        return self.num_steps if self.sweet_spot is None else self.sweet_spot

    def as_dict(self) -> dict[str, Any]:
        """Return every value by name, schedule and policy as people read them: what a protocol records."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "schedule": repr(self.schedule), "policy": repr(self.policy)}

    @property
    def tokens(self) -> TokenRule:
        """How a token is taken from logits."""
        return TokenRule(self.token_temperature, self.top_k, self.top_p)

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
    log_p: Tensor  # (B, N) float32: log probability of each token of `tokens` when it was chosen; 0 where it was known


@dataclass(frozen=True)
class DecodedPass:
    """What decoding has come to after a pass. The tensors are the loop's own: they are read, and never written to."""

    number: int  # of the pass, from 1
    of: int  # passes; an adaptive policy may need fewer
    step: int | None  # from 1, the step that this pass ends; None of a pass that is taken again later (time travel)
    tokens: Tensor  # (B, N) int64: the result if decoding stopped here
    hidden: Tensor  # (B, N) bool: tokens that are still hidden
    log_p: Tensor  # (B, N) float32: log probability of each token when it was last chosen; 0 where it was known


Watch = Callable[[DecodedPass], None]  # called after each pass; may raise to end the decoding


def predictor_of(network: Network) -> Predictor:
    """Return a predictor that computes a network's logits of the whole grid."""

    def predict(tokens: Tensor, asked: Tensor, counts: Sequence[int] | None) -> tuple[Tensor, Tensor]:
        return network(tokens), torch.arange(tokens.numel(), device=tokens.device).view_as(tokens)

    return predict


@torch.no_grad()
def decode(
    predict: Predictor,
    tokens: Tensor,
    mask: Tensor,
    *,
    settings: DecodeSettings,
    mask_token_id: int,
    generator: Generators = None,
    watch: Watch | None = None,
) -> DecodeTrace:
    """Fill the hidden tokens step by step.

    Step t of T, with progress r = t / T: every hidden position takes a token from its logits; the policy scores positions and says
    how many stay hidden, by itself the floor(gamma(r) n0) of the least score. What is still hidden when decoding stops takes the
    prediction of that step.

    Args:
        predict: called once per step, by some policies more often; of a network of the whole grid `predictor_of`.
        tokens: (B, N) int64; values under `mask` are ignored.
        mask: (B, N) bool, True = hidden.
        settings: schedule, steps, temperatures and policy; masks are taken as they are, without dilation.
        mask_token_id: id that marks a hidden token.
        generator: of all draws: one for the batch, or one per image, so that a result does not depend on its batch; None where
            nothing is drawn.
        watch: told of every pass; None costs nothing.

    Returns:
        The tokens, and what every step predicted and left hidden.

    Raises:
        ValueError: when shapes disagree, or generators and images; when a log probability is not finite, which is what NaN and
            infinite logits lead to; when the mask token was chosen.
    """
    _require_grid(tokens, mask)
    policy, walk = settings.policy, settings.policy.walk(settings.stop)
    ends = {len(policy.walk(spot)) - 1: spot for spot in range(1, settings.stop + 1)}  # the passes that end a step for good
    noise = DecodeNoise(generator, passes=len(walk), tokens=tokens)
    counts = hidden_counts(mask, settings)  # (S + 1, B)
    planned, on_host = counts.to(mask.device), counts.tolist()
    state = GridState(predict, policy, mask, tokens.masked_fill(mask, mask_token_id), mask_token_id)
    steps: list[tuple[Tensor, Tensor]] = []
    log_p = torch.zeros(tokens.shape, device=tokens.device)
    usable: list[tuple[Tensor, Tensor]] = []  # of each pass; read after the loop, for reading waits for the device
    for number, t in enumerate(walk):
        now = Now(
            progress_before=t / settings.num_steps, progress=(t + 1) / settings.num_steps, schedule=settings.schedule,
            tokens=settings.tokens, choice_temperature=settings.choice_temperature, draws=PassDraws(noise, number),
        )  # fmt: skip
        if number and t != walk[number - 1] + 1:
            state.hide_again(planned[t], now.draws)
        # how many are asked for is known on the host, so that packing waits for nothing; an adaptive policy finds it out
        asked_counts = on_host[0] if policy.rescores or number == 0 else None if policy.adaptive else on_host[t]
        step = state.take(now, planned[t + 1], asked_counts)
        log_p = torch.where(step.hidden, step.log_p, log_p)
        usable.append((step.log_p.isfinite() | ~step.hidden, (step.tokens != mask_token_id) | ~mask))
        if number in ends:
            steps.append((step.tokens, state.hidden))
        if watch is not None:
            watch(DecodedPass(number + 1, len(walk), ends.get(number), step.tokens, state.hidden, log_p))
        if policy.adaptive and not bool(state.hidden.any()):
            break
    steps += [steps[-1]] * (settings.stop - len(steps))  # an adaptive policy may have been done sooner
    _require_usable(*(torch.stack(parts) for parts in zip(*usable, strict=True)), walk=walk)
    step_tokens, step_masks = (torch.stack(parts) for parts in zip(*steps, strict=True))
    return DecodeTrace(tokens=step_tokens[-1], step_tokens=step_tokens, step_masks=step_masks, log_p=log_p)


def hidden_counts(mask: Tensor, settings: DecodeSettings) -> Tensor:
    """Return how many tokens of each image are hidden before the first step and after each, (S + 1, B) int64 on the host."""
    at_start = mask.sum(1).cpu()
    progress = [settings.policy.clock((step + 1) / settings.num_steps) for step in range(settings.stop)]
    after = [keep_hidden_count(at_start, settings.schedule(r)) for r in progress]
    # a law that rises would hide what is already known: what has been revealed stays revealed
    return torch.stack([at_start, *after]).cummin(0).values


def _require_grid(tokens: Tensor, mask: Tensor) -> None:
    if tokens.ndim != 2 or tokens.shape != mask.shape or mask.dtype != torch.bool:
        raise ValueError(
            f"tokens and mask must be (B, N) int64 and (B, N) bool, got {tuple(tokens.shape)} {tokens.dtype} "
            f"and {tuple(mask.shape)} {mask.dtype}"
        )


def _require_usable(finite: Tensor, no_mask_token: Tensor, *, walk: Sequence[int]) -> None:
    """Raise ValueError naming the first step and image whose predictions, (P, B, N) bool each, are of no use."""
    good = finite & no_mask_token
    if bool(good.all()):
        return
    number, image = good.all(2).logical_not_().nonzero()[0].tolist()  # in the order of the passes
    step = walk[number]
    if bool(finite[number, image].all()):
        raise ValueError(
            f"the mask token was chosen for image {image} of the batch at decoding step {step + 1}: it must be ruled out"
        )
    raise ValueError(
        f"the logits of image {image} of the batch are not finite at decoding step {step + 1}: the weights of this network "
        "diverged. Take another checkpoint (checkpoint=best|last), or train again with a lower optimizer.lr"
    )
